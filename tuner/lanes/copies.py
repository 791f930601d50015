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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Copied:
    """States copied out of lanes: row i of every array is of trials[i], at steps[i]."""

    what: str  # best | branch | end | running
    trials: tuple[int, ...]
    steps: tuple[int, ...]
    arrays: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Taken:
    """Copies of the lanes of some trials, still on the devices."""

    what: str
    rows: list[int]
    occupants: list[tuple[int, int]]  # trial, step
    trained: Any

    def fetch(self, program: Program) -> Copied:
        """Bring them to the host, without the rows that only fill up."""
        stacks = program.fetch(flatten(self.trained))
        arrays = {
            path: stack if len(self.rows) == len(stack) else stack[self.rows]
            for path, stack in stacks.items()
        }
        trials, steps = zip(*self.occupants, strict=True)
        return Copied(what=self.what, trials=trials, steps=steps, arrays=arrays)


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
