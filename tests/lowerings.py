"""Rules by which operations are lowered on CPU: as JAX has them, or ours."""

import contextlib

from jax.interpreters import mlir

from tuner.lanes import lowering


def lower_by(rule):
    """Let the process lower an operation by a rule of ours from now on."""
    lowering._register.cache_clear()
    lowering._register(rule)


@contextlib.contextmanager
def as_in_jax(primitive, plain):
    """As it is before any program with the operation was compiled."""
    mlir.register_lowering(primitive, plain, platform="cpu")
    lowering._register.cache_clear()
    yield
    lowering._register.cache_clear()
