"""The order of examples in NumPy: what `order` says, for data that the host must read.

The same bits as there, threefry's included. Nothing of JAX runs here, so threads may
compute it while the devices train.

References:
    J. K. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011 (threefry).
"""

import functools
from typing import Any

import jax
import jaxtyping as jt
import numpy as np

from tuner.lanes.order import ROUNDS

Key = tuple[int, int]  # a threefry key's two words

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
REMEMBERED = 4096  # epochs of trials; each is two short arrays


def batch_indices(
    key: Key,
    epoch: int,
    offset: int,
    *,
    steps: int,
    batch_size: int,
    num_examples: int,
) -> jt.UInt32[np.ndarray, "steps batch"]:
    """The examples of consecutive batches; arguments as of `order.batch_indices`."""
    position = offset + np.arange(steps * batch_size)
    which, x = np.divmod(position, num_examples)
    x = x.astype(np.uint32)
    for later in range(int(which[-1]) + 1):
        start, stop = np.searchsorted(which, (later, later + 1))
        pivots, salts = round_keys(key, epoch + later, num_examples)
        x[start:stop] = permute(pivots, salts, x[start:stop], num_examples)
    return x.reshape(steps, batch_size)


def permute(
    pivots: jt.UInt32[np.ndarray, " rounds"],
    salts: jt.UInt32[np.ndarray, " rounds"],
    x: jt.UInt32[np.ndarray, " n"],
    num_examples: int,
) -> jt.UInt32[np.ndarray, " n"]:
    """The place of each `x` in range(num_examples) under the bijection of its keys."""
    n = np.uint32(num_examples)
    for pivot, salt in zip(pivots + n, salts, strict=True):
        mirrored = pivot - x
        mirrored -= n * (mirrored >= n)
        swap = _mix(np.maximum(x, mirrored) ^ salt) >> np.uint32(31) == 1
        x = np.where(swap, mirrored, x)
    return x


@functools.lru_cache(REMEMBERED)
def round_keys(
    key: Key, epoch: int, num_examples: int
) -> tuple[jt.UInt32[np.ndarray, " rounds"], jt.UInt32[np.ndarray, " rounds"]]:
    """Pivots and salts of an epoch; the key is folded, not consumed."""
    bits = random_bits(fold_in(key, epoch), 2 * ROUNDS)
    product = bits[:ROUNDS].astype(np.uint64) * np.uint64(num_examples)
    return (product >> np.uint64(32)).astype(np.uint32), bits[ROUNDS:]


def fold_in(key: Key, number: int) -> Key:
    """What `jax.random.fold_in` makes of a threefry key."""
    first, second = _threefry(
        key, np.zeros(1, np.uint32), np.array([number], np.uint32)
    )
    return int(first[0]), int(second[0])


def random_bits(key: Key, count: int) -> jt.UInt32[np.ndarray, " count"]:
    """What `jax.random.bits` draws of a threefry key; an even count."""
    counts = np.arange(count, dtype=np.uint32)
    config: Any = jax.config  # it makes its attributes when it is imported
    if config.jax_threefry_partitionable:
        first, second = _threefry(key, np.zeros_like(counts), counts)
        return first ^ second
    return np.concatenate(_threefry(key, *np.split(counts, 2)))


def _threefry(key, x, y):
    """Twenty rounds of the cipher on pairs of words."""
    first, second = np.array([key[0]], np.uint32), np.array([key[1]], np.uint32)
    words = (first, second, first ^ second ^ np.uint32(0x1BD11BDA))
    x, y = x + words[0], y + words[1]
    for block in range(5):
        for rotation in ROTATIONS[block % 2]:
            x = x + y
            y = x ^ (y << np.uint32(rotation) | y >> np.uint32(32 - rotation))
        x = x + words[(block + 1) % 3]
        y = y + words[(block + 2) % 3] + np.uint32(block + 1)
    return x, y


def _mix(x):
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))
