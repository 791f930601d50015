"""The order of examples: a keyed bijection of range(n), computed where it is needed.

Swap-or-not: in each round a position and its mirror image about a pivot swap places or
not, by one bit of a hash of the larger of the two. Any n, no loop over data, no table;
24 rounds pass the tests of uniformity that 12 fail. So the batch of a step is a pure
function of a trial's key and the step, and nothing about order needs saving.

References:
    V. T. Hoang, B. Morris, P. Rogaway, "An Enciphering Scheme Based on a Card Shuffle",
    2012 (arXiv:1208.1176). The hash is Chris Wellons' "lowbias32".
"""

import jax
import jax.numpy as jnp
import jaxtyping as jt

ROUNDS = 24


def batch_indices(
    key: jt.UInt32[jax.Array, "2"] | jax.Array,
    epoch: jt.Int32[jax.Array, ""],
    offset: jt.Int32[jax.Array, ""],
    *,
    steps: int,
    batch_size: int,
    num_examples: int,
) -> jt.UInt32[jax.Array, "steps batch"]:
    """The examples of consecutive batches, each epoch without replacement.

    Args:
        key: the trial's key for its data; it is folded, not consumed.
        epoch: the epoch in which the first batch begins.
        offset: examples of that epoch already seen.
        steps: how many batches.
        batch_size: examples in each; a batch may straddle two epochs.
        num_examples: in the data, at least `batch_size`.
    """
    epochs = -(-steps * batch_size // num_examples) + 1
    pivots, salts = jax.vmap(
        lambda i: _round_keys(jax.random.fold_in(key, epoch + i), num_examples)
    )(jnp.arange(epochs))
    batch = jnp.arange(batch_size)

    def one_step(step):
        position = offset + step * batch_size + batch
        which = position // num_examples
        first = which[0]
        x = (position - which * num_examples).astype(jnp.uint32)
        late = (which != first)[:, None]
        return permute(
            jnp.where(late, pivots[first + 1], pivots[first]),
            jnp.where(late, salts[first + 1], salts[first]),
            x,
            num_examples,
        )

    return jax.vmap(one_step)(jnp.arange(steps))


def permute(
    pivots: jt.UInt32[jax.Array, "*n rounds"],
    salts: jt.UInt32[jax.Array, "*n rounds"],
    x: jt.UInt32[jax.Array, "*n"],
    num_examples: int,
) -> jt.UInt32[jax.Array, "*n"]:
    """The place of each `x` in range(num_examples) under the bijection of its keys."""
    n = jnp.uint32(num_examples)
    for r in range(pivots.shape[-1]):
        mirrored = pivots[..., r] + n - x
        mirrored = jnp.where(mirrored >= n, mirrored - n, mirrored)
        swap = _mix(jnp.maximum(x, mirrored) ^ salts[..., r]) >> 31 == 1
        x = jnp.where(swap, mirrored, x)
    return x


def _round_keys(key, num_examples):
    """Pivots in range(n), each within n / 2**32 of equally likely, and salts."""
    bits = jax.random.bits(key, (2, ROUNDS), jnp.uint32)
    return _high_word(bits[0], jnp.uint32(num_examples)), bits[1]


def _mix(x):
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _high_word(a, b):
    """The upper half of a 64-bit product, in 32-bit arithmetic."""
    low, half = jnp.uint32(0xFFFF), 16
    a0, a1, b0, b1 = a & low, a >> half, b & low, b >> half
    middle = a1 * b0 + (a0 * b0 >> half)
    lower = a0 * b1 + (middle & low)
    return a1 * b1 + (middle >> half) + (lower >> half)
