"""Which lane trains which trial next: the inputs of `load` and `restore`.

Fresh arrays each time: JAX may still read the last ones.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from tuner.lanes.job import Job
from tuner.lanes.layout import Layout
from tuner.lanes.state import Trained, unflatten


class Placement:
    """Moves and beginnings, gathered for one call of the program."""

    def __init__(self, layout: Layout, traced: Mapping[str, Any]) -> None:
        self.layout = layout
        self.room = layout.lanes_per_device
        self._traced = traced
        self._moves: list[list[tuple[int, int]]] = [[] for _ in range(layout.devices)]
        self._starts: list[list[tuple[int, Job]]] = [[] for _ in range(layout.devices)]

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return any(self._moves) or any(self._starts)

    def move(self, device: int, source: int, target: int) -> None:
        """Let a trial go on in another lane of its device."""
        self._moves[device].append((source, target))

    def start(self, device: int, lane: int, job: Job) -> None:
        """Begin a trial in a free lane."""
        self._starts[device].append((lane, job))

    def inputs(self) -> dict[str, Any]:
        """The inputs of `load`; what lies beyond the counts is ignored."""
        shape = (self.layout.devices, self.room)
        arrays = {
            "num_moves": np.array([len(m) for m in self._moves], np.int32),
            "move_from": np.zeros(shape, np.int32),
            "move_to": np.zeros(shape, np.int32),
            "num_new": np.array([len(s) for s in self._starts], np.int32),
            "new_lane": np.zeros(shape, np.int32),
            "numbers": np.zeros((*shape, 3), np.uint32),
        }
        hyperparams = {n: np.zeros(shape, dtype) for n, dtype in self._traced.items()}
        for device in range(self.layout.devices):
            for i, (source, target) in enumerate(self._moves[device]):
                arrays["move_from"][device, i] = source
                arrays["move_to"][device, i] = target
            for i, (lane, job) in enumerate(self._starts[device]):
                arrays["new_lane"][device, i] = lane
                arrays["numbers"][device, i] = job.numbers
                for name, values in hyperparams.items():
                    values[device, i] = job.hyperparams[name]
        of_lanes = {n: a for n, a in arrays.items() if not n.startswith("num_")}
        return arrays | _joined(of_lanes | {"hyperparams": hyperparams})

    def restores(self, like: Trained) -> Iterator[dict[str, Any]]:
        """The inputs of `restore`, as often as there are snapshots to put back."""
        width = self.layout.width
        left = [[s for s in starts if s[1].trained] for starts in self._starts]
        while any(left):
            lane = np.full((self.layout.devices, width), self.room, np.int32)
            trained = _zeros((self.layout.devices, width), like)
            for device, starts in enumerate(left):
                for row, (target, job) in enumerate(starts[:width]):
                    lane[device, row] = target
                    one = unflatten(like, job.trained or {})
                    pairs = zip(
                        jax.tree.leaves(trained), jax.tree.leaves(one), strict=True
                    )
                    for all_lanes, leaf in pairs:
                        all_lanes[device, row] = leaf
                left[device] = starts[width:]
            yield _joined({"lane": lane, "trained": trained})


def _zeros(shape: tuple[int, int], like: Any) -> Any:
    return jax.tree.map(lambda a: np.zeros((*shape, *a.shape), a.dtype), like)


def _joined(tree: Any) -> Any:
    """Devices and their lanes as one axis, as `shard_map` splits it again."""
    return jax.tree.map(
        lambda a: a.reshape(a.shape[0] * a.shape[1], *a.shape[2:]), tree
    )
