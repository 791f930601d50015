"""Traced programs, and what they call: the loops, branches and functions inside."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import jax
from jax.extend.core import Jaxpr, JaxprEqn


@runtime_checkable
class Closed(Protocol):
    """A traced function with its constants; in newer versions of JAX, any `Jaxpr`."""

    @property
    def jaxpr(self) -> Jaxpr:
        """The program."""
        ...

    @property
    def in_avals(self) -> Any:
        """The types of its arguments."""
        ...


def inside(equation: JaxprEqn) -> Iterator[Jaxpr]:
    """The programs that an operation calls: a loop's body, the branches of a cond."""
    for parameter in jax.tree.leaves(list(equation.params.values())):
        if isinstance(parameter, Jaxpr):
            yield parameter
        elif isinstance(getattr(parameter, "jaxpr", None), Jaxpr):
            yield parameter.jaxpr
