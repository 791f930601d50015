import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuner.lanes.order import batch_indices

# Whole numbers come out alike however hard the compiler works, so let it be quick.
jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@functools.cache
def compiled(*, num_examples, batch_size, steps):
    """Batches from a key's seed and where the first begins: one program a size."""

    def batches(seed, epoch, offset):
        return batch_indices(
            jax.random.key(seed, impl="threefry2x32"),
            jnp.int32(epoch),
            jnp.int32(offset),
            steps=steps,
            batch_size=batch_size,
            num_examples=num_examples,
        )

    return jit(batches)


def order(seed, *, epoch=0, offset=0, **sizes):
    return np.asarray(compiled(**sizes)(seed, epoch, offset))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 97, 1500, 65_537])
def test_an_epoch_sees_every_example_once(n):
    seen = order(0, steps=1, batch_size=n, num_examples=n)
    assert sorted(seen.ravel()) == list(range(n))


@pytest.mark.parametrize("n", [3, 4, 5])
def test_every_permutation_is_equally_likely(n):
    keys = jax.random.split(jax.random.key(1, impl="threefry2x32"), 24_000)
    permutation = functools.partial(
        batch_indices, steps=1, batch_size=n, num_examples=n
    )
    along_keys = jax.vmap(permutation, in_axes=(0, None, None))
    permutations = jit(along_keys)(keys, jnp.int32(0), jnp.int32(0))[:, 0]
    codes = np.asarray(permutations).astype(int) @ n ** np.arange(n)
    all_codes = [np.dot(p, n ** np.arange(n)) for p in itertools.permutations(range(n))]
    counts = [(codes == code).sum() for code in all_codes]
    assert sum(counts) == len(codes)
    assert stats.chisquare(counts).pvalue > 0.001  # one seed, fixed: no flake


SIZES = [(5, 5), (7, 1), (60, 4)]  # examples, batch


@given(size=st.sampled_from(SIZES), start=st.integers(0, 30), seed=st.integers(0, 99))
def test_batches_do_not_depend_on_where_a_call_begins(size, start, seed):
    n, batch_size = size
    sizes = {"num_examples": n, "batch_size": batch_size}
    whole = order(seed, steps=40, **sizes)
    epoch, offset = divmod(start * batch_size, n)
    part = order(seed, epoch=epoch, offset=offset, steps=10, **sizes)
    np.testing.assert_array_equal(part, whole[start : start + 10])


def test_epochs_differ_and_each_is_without_replacement():
    seen = order(0, steps=6, batch_size=5, num_examples=15).reshape(2, 15)
    assert sorted(seen[0]) == sorted(seen[1]) == list(range(15))
    assert seen[0].tolist() != seen[1].tolist()


def test_a_batch_may_straddle_two_epochs():
    seen = order(0, steps=5, batch_size=4, num_examples=10).ravel()
    assert sorted(seen[:10]) == sorted(seen[10:20]) == list(range(10))
