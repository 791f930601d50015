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
    position = offset + jnp.arange(steps * batch_size)
    which = position // num_examples
    place = (position - which * num_examples).astype(jnp.uint32)
    examples = permute(pivots.T, salts.T, which, place, num_examples)
    return examples.reshape(steps, batch_size)


def permute(
    pivots: jt.UInt32[jax.Array, "rounds epochs"],
    salts: jt.UInt32[jax.Array, "rounds epochs"],
    which: jt.Int32[jax.Array, " n"],
    place: jt.UInt32[jax.Array, " n"],
    num_examples: int,
) -> jt.UInt32[jax.Array, " n"]:
    """The example at each place of an epoch, under the bijection of that epoch's keys.

    Args:
        pivots: in range(num_examples).
        salts: any numbers.
        which: the epoch of each place, an index into the keys.
        place: in range(num_examples).
        num_examples: in an epoch.
    """
    n = jnp.uint32(num_examples)

    def one_round(x, keys):
        pivot, salt = (of_epoch[which] for of_epoch in keys)
        mirrored = pivot + n - x
        mirrored = jnp.where(mirrored >= n, mirrored - n, mirrored)
        swap = _mix(jnp.maximum(x, mirrored) ^ salt) >> 31 == 1
        return jnp.where(swap, mirrored, x), None

    return jax.lax.scan(one_round, place, (pivots, salts))[0]


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
