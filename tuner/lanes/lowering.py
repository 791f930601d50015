"""What XLA:CPU would compute slowly in the lanes is lowered by rules of our own.

A rule is a module about one primitive of JAX. It rewrites what is slow and leaves the
rest to JAX's own rule, for which there is no public name: in a version of JAX without
that name nothing is changed, and a note says what is slow. A rule holds for the whole
process, from the first program that has its primitive.
"""

import contextlib
import functools
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import jax
from jax.extend.core import Jaxpr, Primitive
from jax.interpreters import mlir

from tuner.lanes import convolutions, pooling, products
from tuner.lanes.jaxprs import Closed, inside

RULES = (convolutions, pooling, products)


def speed_up(program: Closed) -> str:
    """Register the rules for a program that is about to be lowered.

    Returns:
        A line to tell where one cannot be; empty where there is nothing to tell.
    """
    if jax.default_backend() != "cpu":
        return ""
    used = primitives(program.jaxpr)
    notes = [_register(rule) for rule in RULES if rule.PRIMITIVE in used]
    return "; ".join(filter(None, notes))


def primitives(program: Jaxpr) -> set[Primitive]:
    """All that it is made of, in whatever depth of loops and calls."""
    inner = [primitives(called) for e in program.eqns for called in inside(e)]
    return {equation.primitive for equation in program.eqns}.union(*inner)


@functools.cache
def _register(rule: ModuleType) -> str:
    if rule.plain is None:
        return (
            f"on a CPU tuner makes {rule.WHAT} fast by {rule.PRIVATE_NAME}, which "
            f"JAX {jax.__version__} does not have: they will be slow"
        )
    mlir.register_lowering(rule.PRIMITIVE, _unless_off(rule), platform="cpu")
    return ""


def _unless_off(rule: ModuleType) -> Any:
    """A rule, or JAX's own where `as_jax_does` says so."""

    def lower(context, *operands, **options):
        chosen = rule.lower_plainly if getattr(_rules, "off", False) else rule.lower
        return chosen(context, *operands, **options)

    return lower


@contextlib.contextmanager
def as_jax_does() -> Iterator[None]:
    """Lower without these rules, whichever of them are registered by now."""
    _rules.off = True
    try:
        yield
    finally:
        _rules.off = False


_rules = threading.local()
