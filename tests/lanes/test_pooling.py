"""Gradients of max-pooling on CPU: by comparisons, and the numbers of JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.interpreters import mlir
from lowerings import as_in_jax, lower_by

from tuner.lanes import pooling

PLAIN = mlir.lower_fun(
    lambda *args, **options: pooling.plain(*args, expand_padding=True, **options),
    multiple_results=False,
)


@pytest.fixture
def by_jax():
    with as_in_jax(pooling.PRIMITIVE, PLAIN):
        yield


def pool(x, window, strides=None, padding="VALID", *, least=False):
    function, worst = (lax.min, np.inf) if least else (lax.max, -np.inf)
    worst = np.array(worst, x.dtype)
    return lax.reduce_window(x, worst, function, window, strides or window, padding)


def lowered(x, *pooling, **options):
    """The gradient of a sum whose terms all weigh differently."""

    def loss(x):
        out = pool(x, *pooling, **options)
        weights = jnp.arange(1, out.size + 1, dtype=x.dtype).reshape(out.shape)
        return (weights * out).sum()

    return jax.jit(lambda x: jax.grad(loss)(x)).lower(x)


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def with_ties(*shape):
    return np.random.default_rng(0).integers(0, 2, shape).astype(np.float32)


def with_nans(*shape):
    x = normal(*shape)
    x[np.random.default_rng(1).random(shape) < 0.3] = np.nan
    return x


IMAGE, TWO = (2, 6, 6, 3), (1, 2, 2, 1)
CASES = {
    # what is pooled, how; whether by comparisons
    "by two": (normal(*IMAGE), (TWO,), {}, True),
    "by three": (normal(*IMAGE), ((1, 3, 3, 1),), {}, True),
    "by two and three": (normal(*IMAGE), ((1, 2, 3, 1),), {}, True),
    "over examples": (normal(*IMAGE), ((2, 2, 1, 1),), {}, True),
    "a rest": (normal(2, 7, 5, 3), (TWO,), {}, True),
    "a line": (normal(12), ((4,),), {}, True),
    "the least": (normal(*IMAGE), (TWO,), {"least": True}, True),
    "ties": (with_ties(*IMAGE), (TWO,), {}, True),
    "no numbers": (with_nans(*IMAGE), (TWO,), {}, True),
    "sixteen bits": (with_ties(*IMAGE).astype(jnp.bfloat16), (TWO,), {}, True),
    "nothing to pad": (normal(*IMAGE), (TWO, None, "SAME"), {}, True),
    "padded": (normal(2, 5, 5, 3), (TWO, None, "SAME"), {}, False),
    "windows overlap": (normal(*IMAGE), ((1, 3, 3, 1), TWO), {}, False),
    "windows apart": (normal(*IMAGE), (TWO, (1, 3, 3, 1)), {}, False),
    "large windows": (normal(2, 10, 10, 3), ((1, 5, 5, 1),), {}, False),
}


@pytest.mark.parametrize(("x", "how", "options", "compared"), CASES.values(), ids=CASES)
def test_the_numbers_are_those_of_jax(by_jax, x, how, options, compared):
    expected = lowered(x, *how, **options).compile()(x)
    lower_by(pooling)
    ours = lowered(x, *how, **options)
    assert ("select_and_scatter" not in ours.as_text()) is compared
    assert np.array_equal(ours.compile()(x), expected)
    assert np.any(expected)


def test_the_lanes_of_a_chunk_are_compared_together(by_jax):
    def gradients(x):
        return jax.vmap(jax.grad(lambda x: jnp.square(pool(x, TWO)).sum()))(x)

    x = normal(5, *IMAGE)
    expected = jax.jit(lambda x: gradients(x))(x)
    lower_by(pooling)
    ours = jax.jit(lambda x: gradients(x)).lower(x)
    assert "select_and_scatter" not in ours.as_text()
    assert np.array_equal(ours.compile()(x), expected)
