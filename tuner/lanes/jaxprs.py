"""What a traced program calls: the loops, branches and functions inside of it."""

from collections.abc import Iterator

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn


def inside(equation: JaxprEqn) -> Iterator[Jaxpr]:
    """The programs that an operation calls: a loop's body, the branches of a cond."""
    for parameter in jax.tree.leaves(list(equation.params.values())):
        if isinstance(parameter, ClosedJaxpr):
            yield parameter.jaxpr
        elif isinstance(parameter, Jaxpr):
            yield parameter
