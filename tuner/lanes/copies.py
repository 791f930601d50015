"""States copied out of lanes, from the devices to the host.

A copy is made before the next call reuses the lanes, and fetched while that call runs.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jaxtyping as jt
import numpy as np

from tuner.lanes import improved
from tuner.lanes.program import Program
from tuner.lanes.state import flatten


@dataclasses.dataclass(frozen=True)
class Copied:
    """States copied out of lanes: row i of every array is of trials[i], at steps[i].

    The arrays may be a device's own memory: they are not to be written to.
    """

    what: str  # best | branch | end | running
    trials: tuple[int, ...]
    steps: tuple[int, ...]
    arrays: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Taken:
    """Copies of the lanes of some trials, still on the devices.

    Attributes:
        what: is to become of them.
        occupants: of each device, a trial and its step for each of its first rows.
        trained: their states; rows behind those only fill up.
    """

    what: str
    occupants: Sequence[Sequence[tuple[int, int]]]
    trained: Any

    def fetch(self, program: Program) -> list[Copied]:
        """Bring them to the host, those of each device by themselves."""
        parts = program.fetch_apart(flatten(self.trained))
        copied = []
        for stacks, occupants in zip(parts, self.occupants, strict=True):
            if occupants:
                trials, steps = zip(*occupants, strict=True)
                arrays = {path: _first(a, len(trials)) for path, a in stacks.items()}
                copied.append(Copied(self.what, trials, steps, arrays))
        return copied


def _first(stack: np.ndarray, rows: int) -> np.ndarray:
    """The first rows of a stack, which does not outlive them if they are few."""
    return stack[:rows] if 2 * rows > len(stack) else stack[:rows].copy()


@dataclasses.dataclass(frozen=True)
class Judged:
    """What is kept of lanes that were evaluated, still on the devices, in pieces.

    Attributes:
        trials: by lane.
        evaluated: the step of each lane's evaluation, or `NOT_EVALUATED`.
        pieces: copies, those lanes in front whose evaluation was their best.
    """

    trials: Mapping[int, int]
    evaluated: jt.Int32[np.ndarray, " lanes"]
    pieces: Sequence[Any]

    def fetch(self, program: Program, outputs: Mapping[str, Any]) -> list[Copied]:
        """Bring to the host what is of trials that have improved, if any has.

        Args:
            program: whose lanes they are.
            outputs: of the call that ended with the evaluation, on the host.
        """
        best_step = outputs["best_step"]
        better = best_step == self.evaluated
        of_devices = better.reshape(program.layout.devices, -1)
        needed = self.pieces[: improved.num_needed(of_devices)]
        if not needed:
            return []
        fetched = program.fetch([flatten({"best": piece}) for piece in needed])
        lanes = np.flatnonzero(better)
        arrays = improved.joined(fetched, of_devices)
        for name in ("best_objective", "best_step"):
            arrays[name] = outputs[name][lanes]
        return [
            Copied(
                what="best",
                trials=tuple(self.trials[lane] for lane in lanes.tolist()),
                steps=tuple(best_step[lanes].tolist()),
                arrays=arrays,
            )
        ]
