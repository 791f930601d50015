"""A call that was sent to the devices, and what it has brought once it is read."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tuner.lanes.copies import Copied, Judged, Taken
from tuner.lanes.occupant import Occupant
from tuner.lanes.phases import phase
from tuner.lanes.program import Program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Called:
    """What one call brought to the host, of several trials.

    Attributes:
        trials: their numbers, [trials].
        base: steps made before the call, [trials].
        steps: steps made in it, [trials].
        good: those of them before the first that was not finite, [trials].
        due: whether the call ends with an evaluation of the trial, [trials].
        step: the step that each tick belongs to, [trials, ticks].
        kept: whether the tick made a good step, [trials, ticks].
        rates: by name, [trials, ticks].
        train: metrics of the steps, [trials, ticks].
        valid: metrics of the evaluation at the end, [trials].
        best_objective: smaller is better whatever the direction, [trials].
        best_step: -1 where there is none yet, [trials].
        copied: states that left the lanes with it.
        ended: trials whose last call it is.
        failed: those of them whose next examples cannot be read, and why.
    """

    trials: np.ndarray
    base: np.ndarray
    steps: np.ndarray
    good: np.ndarray
    due: np.ndarray
    step: np.ndarray
    kept: np.ndarray
    rates: Mapping[str, np.ndarray]
    train: Mapping[str, np.ndarray]
    valid: Mapping[str, np.ndarray]
    best_objective: np.ndarray
    best_step: np.ndarray
    copied: tuple[Copied, ...]
    ended: tuple[int, ...]
    failed: Mapping[int, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Flight:
    """A call that has not been read, and what was taken out of the lanes after it."""

    occupants: list[Occupant]
    lanes: np.ndarray
    first: np.ndarray  # the ticks made before it
    rates: Mapping[str, np.ndarray]
    outputs: Any
    judged: Judged | None = None
    taken: list[Taken] = dataclasses.field(default_factory=list)
    ended: list[int] = dataclasses.field(default_factory=list)
    failed: dict[int, str] = dataclasses.field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether the devices have trained all of it."""
        return not self.occupants or self.outputs["ok"].is_ready()

    @classmethod
    def empty(cls) -> "Flight":
        """None at all, for what happened before the first."""
        return cls([], np.array([], np.int64), np.array([], np.int64), {}, {})

    @phase("read")
    def read(self, program: Program) -> Called:
        """Wait for a call, and bring its results to the host."""
        if not self.occupants:
            return _called_without(self, program)
        outputs = program.fetch(self.outputs)
        group = program.group
        sound = np.array([not o.broken for o in self.occupants])
        occupants = [o for o in self.occupants if not o.broken]
        lanes, first = self.lanes[sound], self.first[sound]
        micros = np.array([o.job.micros for o in occupants], np.int64)
        after = first[:, None] + 1 + np.arange(group.call_ticks)
        makes = after % micros[:, None] == 0
        kept = makes & outputs["ok"][lanes]
        last = after[:, -1]
        for occupant, ok in zip(occupants, outputs["ok"][lanes].all(1), strict=True):
            occupant.broken = not ok
        copied = self.judged.fetch(program, outputs) if self.judged else []
        copied += _fetched(self.taken, program)
        return Called(
            trials=np.array([o.job.trial for o in occupants], np.int32),
            base=first // micros,
            steps=makes.sum(1),
            good=kept.sum(1),
            due=last % (group.segment_steps * micros) == 0,
            step=(-(-after // micros[:, None])).astype(np.int32),
            kept=kept,
            rates={name: values[sound] for name, values in self.rates.items()},
            train={name: a[lanes] for name, a in outputs["train"].items()},
            valid={name: a[lanes] for name, a in outputs["valid"].items()},
            best_objective=outputs["best_objective"][lanes],
            best_step=outputs["best_step"][lanes],
            copied=tuple(copied),
            ended=tuple(self.ended),
            failed=self.failed,
        )


def _fetched(taken: Iterable[Taken], program: Program) -> list[Copied]:
    return [copied for each in taken for copied in each.fetch(program)]


def _called_without(flight: Flight, program: Program) -> Called:
    """What is to be told where there was no call."""
    numbers, flags = np.zeros(0, np.int64), np.zeros(0, np.bool_)
    return Called(
        **dict.fromkeys(("trials", "base", "steps", "good", "best_step"), numbers),
        due=flags,
        step=np.zeros((0, 0), np.int32),
        kept=np.zeros((0, 0), np.bool_),
        rates={},
        train={},
        valid={},
        best_objective=np.zeros(0, np.float32),
        copied=tuple(_fetched(flight.taken, program)),
        ended=tuple(flight.ended),
        failed=flight.failed,
    )
