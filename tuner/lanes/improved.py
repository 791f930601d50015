"""Which lanes have improved, and what the task keeps of them, in pieces.

Where best states are no part of the lanes, they are copied when a trial improves. Which
trials did, only the devices know when the copies must be made: before the next call
reuses the lanes. So each device copies what is kept of all its lanes, those that have
improved in front, and cuts that into pieces: of one lane, one, two, four, and so on.
The host fetches as many as the device with most needs, at most twice as much.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping as jt
import numpy as np

NOT_EVALUATED = -2  # no step; -1 is the best step of a trial that has none


def piece_sizes(lanes: int) -> list[int]:
    """How many lanes each piece holds."""
    sizes = [1]
    while (left := lanes - sum(sizes)) > 0:
        sizes.append(min(sum(sizes), left))
    return sizes


def in_pieces(kept: Any, improved: jt.Bool[jax.Array, " lanes"]) -> list[Any]:
    """On one device: what is kept of all lanes, those that have improved in front."""
    order = jnp.argsort(~improved)  # stable: else in the order of the lanes
    ends = np.cumsum(piece_sizes(len(order))).tolist()
    return [
        jax.tree.map(lambda a, i=order[end - size : end]: a[i], kept)
        for end, size in zip(ends, piece_sizes(len(order)), strict=True)
    ]


def num_needed(improved: jt.Bool[np.ndarray, "devices lanes"]) -> int:
    """Of how many pieces the host needs: the device with most of them decides."""
    most = int(improved.sum(1).max())
    ends = np.cumsum(piece_sizes(improved.shape[1]))
    return int(np.searchsorted(ends, most)) + 1 if most else 0


def joined(
    pieces: Sequence[Mapping[str, np.ndarray]],
    improved: jt.Bool[np.ndarray, "devices lanes"],
) -> dict[str, np.ndarray]:
    """The rows of the lanes that have improved, in the order of the lanes."""
    devices = len(improved)
    device, lane = np.nonzero(improved)
    row = improved.cumsum(1)[device, lane] - 1
    arrays = {}
    for name in pieces[0]:
        parts = [p[name].reshape(devices, -1, *p[name].shape[1:]) for p in pieces]
        arrays[name] = np.concatenate(parts, axis=1)[device, row]
    return arrays
