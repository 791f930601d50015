"""The host's order of examples has the bits of the devices'."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.lanes import host_order, order
from tuner.lanes.compilations import compilations

SIZES = [(1, 1), (5, 5), (60, 4), (97, 64), (2**31 - 1, 3)]  # examples, batch
STEPS = 7
WORDS = st.tuples(*[st.integers(0, 2**32 - 1)] * 2)


@functools.cache
def on_device(num_examples, batch_size):
    def batches(words, epoch, offset):
        return order.batch_indices(
            jax.random.wrap_key_data(words, impl="threefry2x32"),
            epoch,
            offset,
            steps=STEPS,
            batch_size=batch_size,
            num_examples=num_examples,
        )

    return jax.jit(batches)


def on_host(key, epoch, offset, size):
    num_examples, batch_size = size
    return host_order.batch_indices(
        key,
        epoch,
        offset,
        steps=STEPS,
        batch_size=batch_size,
        num_examples=num_examples,
    )


@given(
    key=WORDS,
    epoch=st.integers(0, 10**6),
    size=st.sampled_from(SIZES),
    share=st.floats(0, 0.999),
)
def test_the_host_draws_the_batches_that_the_devices_draw(key, epoch, size, share):
    # Near the end of 2**31 examples the devices' positions would not fit into 32 bits.
    offset = int(share * min(size[0], 10**9))
    expected = on_device(*size)(
        np.array(key, np.uint32), jnp.int32(epoch), jnp.int32(offset)
    )
    np.testing.assert_array_equal(on_host(key, epoch, offset, size), expected)


@given(key=WORDS, number=st.integers(0, 2**32 - 1))
def test_a_key_is_folded_as_by_jax(key, number):
    typed = jax.random.wrap_key_data(np.array(key, np.uint32), impl="threefry2x32")
    folded = jax.random.key_data(jax.random.fold_in(typed, np.uint32(number)))
    assert host_order.fold_in(key, number) == tuple(folded.tolist())


@pytest.mark.parametrize("partitionable", [False, True])
def test_bits_are_those_of_jax_however_it_splits_them(partitionable):
    typed = jax.random.key(5, impl="threefry2x32")
    key = tuple(jax.random.key_data(typed).tolist())
    with jax.threefry_partitionable(partitionable):
        expected = jax.random.bits(typed, (48,), jnp.uint32)
        np.testing.assert_array_equal(host_order.random_bits(key, 48), expected)


def test_the_host_compiles_nothing():
    before = compilations()
    on_host((1, 2), 3, 4, (60, 4))
    assert compilations() == before
