"""How much memory a traced function could need: by its text, compiling nothing.

Every value lives from the operation that makes it to the last that reads it, as if
none were fused or reused in place. XLA does better than that nearly always, so the
bytes are an upper estimate, good for telling that there is room to spare.
"""

import math
from typing import Any

from jax.extend.core import Jaxpr, Var

from tuner.lanes.jaxprs import inside


def peak_bytes(jaxpr: Any) -> int:
    """The most bytes that are alive at once, beside the function's arguments.

    Args:
        jaxpr: what `jax.make_jaxpr` returns; loops need what one turn needs.
    """
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    last_use = _last_uses(jaxpr)
    alive: dict[Var, int] = {}
    most = 0
    for i, equation in enumerate(jaxpr.eqns):
        made = {v: _num_bytes(v.aval) for v in equation.outvars}
        inner = max(map(peak_bytes, inside(equation)), default=0)
        most = max(most, sum(alive.values()) + sum(made.values()) + inner)
        alive |= {v: size for v, size in made.items() if v in last_use}
        for v in equation.invars:
            if isinstance(v, Var) and last_use[v] == i:
                alive.pop(v, None)
    return most


def _last_uses(jaxpr: Jaxpr) -> dict[Var, int]:
    last_use: dict[Var, int] = {}
    for i, equation in enumerate(jaxpr.eqns):
        last_use |= {v: i for v in equation.invars if isinstance(v, Var)}
    end = len(jaxpr.eqns)
    return last_use | {v: end for v in jaxpr.outvars if isinstance(v, Var)}


def _num_bytes(aval: Any) -> int:
    if not hasattr(aval, "shape"):
        return 0  # a token
    return math.prod(aval.shape) * aval.dtype.itemsize
