"""Gradients of products on CPU: nothing large is transposed, the same numbers."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from lowerings import as_in_jax, lower_by

from tuner.lanes import products

# As JAX registers it.
PLAIN = functools.partial(products.plain, platform="cpu")


@pytest.fixture
def by_jax():
    with as_in_jax(products.PRIMITIVE, PLAIN):
        yield


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def compiled_text(lanes):
    """Of steps of a layer from 3 to 40 features, on 4 examples of 6 positions."""

    def loss(w, x):
        return jnp.square(jax.nn.gelu(x @ w)).mean()

    def steps(w, x):
        def step(w, _):
            return w - 0.1 * jax.grad(loss)(w, x), None

        return lax.scan(step, w, length=5)[0]

    arrays = normal(lanes, 3, 40), normal(lanes, 4, 6, 3)
    return jax.jit(jax.vmap(steps)).lower(*arrays).compile().as_text()


def has_transposed_gradient(text):
    """Whether 24 numbers of each of 40 features stand in memory one after another."""
    return re.search(r"= f32\[(\d+,)?40,24\]", text) is not None


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_large_gradient_is_not_transposed(by_jax, lanes):
    assert has_transposed_gradient(compiled_text(lanes))
    lower_by(products)
    assert not has_transposed_gradient(compiled_text(lanes))


SUMS = (((0, 1), (0, 1)), ((), ()))
CASES = {
    # left, right, dimension numbers; whether the operands are exchanged
    "x @ w": ((2, 5, 3), (3, 7), (((2,), (0,)), ((), ())), False),
    "by the larger": ((2, 5, 7), (2, 5, 3), SUMS, True),
    "by the smaller": ((2, 5, 3), (2, 5, 7), SUMS, False),
    "by one as large": ((2, 5, 3), (2, 5, 3), SUMS, True),
    "by a vector": ((2, 5, 3), (2, 5), SUMS, False),
    "a sum over one axis": ((5, 7), (5, 3), (((0,), (0,)), ((), ())), False),
    "a batch": ((2, 5, 4, 7), (2, 5, 4, 3), (((1, 2), (1, 2)), ((0,), (0,))), True),
    "a batch behind": (
        (5, 4, 2),
        (5, 4, 2, 3),
        (((0, 1), (0, 1)), ((2,), (2,))),
        False,
    ),
    "axes crossed": ((5, 4, 7), (4, 5, 3), (((0, 1), (1, 0)), ((), ())), False),
    "matrices kept": ((5, 4, 2, 7), (5, 4, 2, 3), SUMS, True),
}


@pytest.mark.parametrize(
    ("left", "right", "numbers", "exchanged"), CASES.values(), ids=CASES
)
def test_the_numbers_are_those_of_jax(by_jax, left, right, numbers, exchanged):
    arrays = normal(*left), normal(*right)
    precision = (lax.Precision.DEFAULT, lax.Precision.HIGHEST)
    product = functools.partial(
        lax.dot_general, dimension_numbers=numbers, precision=precision
    )
    expected = jax.jit(lambda *a: product(*a))(*arrays)
    lower_by(products)
    lowered = jax.jit(lambda *a: product(*a)).lower(*arrays)
    as_asked = "precision = [DEFAULT, HIGHEST]" in lowered.as_text()
    assert as_asked is not exchanged
    got = lowered.compile()(*arrays)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)  # other order
