"""What a person who waits is told: the interface between the driver and a display."""

import dataclasses
from collections.abc import Callable
from typing import Protocol, runtime_checkable


@dataclasses.dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a round stands.

    Attributes:
        round: its number, from 1.
        num_rounds: of the study.
        group: the program that trains, or is compiled.
        waiting, running, complete, diverged, stopped, failed: trials of the round.
        steps: updates made in the round, of `total_steps`; a trial that diverged,
            failed or was stopped had no more to make.
        trial_steps_per_second: since the last few segments.
        best_objective: the best of the run so far, or None.
        best_trial: who has it.
    """

    round: int
    num_rounds: int
    group: str
    waiting: int
    running: int
    complete: int
    diverged: int
    stopped: int
    steps: int
    total_steps: int
    trial_steps_per_second: float
    best_objective: float | None
    best_trial: int | None
    failed: int = 0


@runtime_checkable
class Display(Protocol):
    """Shows a run as it goes; called from the thread that trains, so it is quick."""

    def note(self, text: str) -> None:
        """A line worth knowing; of a full disk from the thread that writes to it."""

    def compiling(self, standing: Standing, trials: int, layout: str) -> None:
        """A program is about to be compiled, to train so many trials."""

    def compiled(self, group: str, seconds: float) -> None:
        """It is, and training begins."""

    def advanced(self, standing: Callable[[], Standing]) -> None:
        """A segment was read; to count how things stand takes a moment."""

    def ended(self, standing: Standing) -> None:
        """All trials of a round have ended."""

    def close(self) -> None:
        """The run has ended, or leaves."""


class Silent:
    """Shows nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def compiling(self, standing: Standing, trials: int, layout: str) -> None:
        """Nothing."""

    def compiled(self, group: str, seconds: float) -> None:
        """Nothing."""

    def advanced(self, standing: Callable[[], Standing]) -> None:
        """Nothing."""

    def ended(self, standing: Standing) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
