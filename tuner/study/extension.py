"""How a schedule becomes longer: rules from a short run's schedule to a long one's.

An extension shares the added steps between the constant phase and the decay. It touches
neither warm-up, peak, shape and final fraction, nor any of the first `prefix_steps`
rates, so that a run can go on from a snapshot taken there. A schedule without an end
("none", "inverse_sqrt") goes on as it is.
"""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any

from tuner.study.schedule import ENDLESS, Schedule, whole_steps


class Extension(abc.ABC):
    """Makes the schedule of a longer run out of a shorter run's."""

    def __call__(self, schedule: Any, max_train_steps: int) -> Schedule:
        """The schedule of the longer run, `max_train_steps` long."""
        _check_parent(schedule, max_train_steps)
        after_warmup = max_train_steps - schedule.warmup_steps
        decay_steps = self._decay_steps(schedule, max_train_steps)
        if schedule.decay == "none":
            decay_steps = 0
        if schedule.decay == "inverse_sqrt":
            decay_steps = after_warmup - schedule.constant_steps
        constant_steps = after_warmup - decay_steps
        if constant_steps < schedule.constant_steps:
            raise ValueError(
                f"a constant phase never gets shorter, but a decay of {decay_steps} of "
                f"{max_train_steps} steps would leave {constant_steps} of its "
                f"{schedule.constant_steps}: shorten the decay or lengthen the run"
            )
        return dataclasses.replace(
            schedule, constant_steps=constant_steps, decay_steps=decay_steps
        )

    def describe(self) -> dict[str, Any]:
        """The extension as JSON data."""
        return {"type": type(self).__name__}

    @abc.abstractmethod
    def _decay_steps(self, schedule: Schedule, max_train_steps: int) -> int:
        """Steps of the longer run's decay; what remains is constant."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LengthenConstant(Extension):
    """Extend by a longer constant phase; the decay keeps its length.

    Attributes:
        decay_steps: another length of the decay, or several of them, each for a trial
            of its own: they branch off one constant phase, which however never gets
            shorter.
    """

    decay_steps: int | Sequence[int] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.decay_steps, Sequence):
            several = tuple(whole_steps("decay_steps", n) for n in self.decay_steps)
            if not several or len(set(several)) < len(several):
                raise ValueError(
                    "`decay_steps` takes different lengths, at least one, but got "
                    f"{list(self.decay_steps)}"
                )
            object.__setattr__(self, "decay_steps", several)
        elif self.decay_steps is not None:
            steps = whole_steps("decay_steps", self.decay_steps)
            object.__setattr__(self, "decay_steps", steps)

    def each(self) -> tuple["LengthenConstant", ...]:
        """One extension for each of several decays."""
        if not isinstance(self.decay_steps, tuple):
            return (self,)
        return tuple(LengthenConstant(decay_steps=steps) for steps in self.decay_steps)

    def describe(self) -> dict[str, Any]:
        """The extension as JSON data."""
        steps = self.decay_steps
        several = list(steps) if isinstance(steps, tuple) else steps
        return {**super().describe(), "decay_steps": several}

    def _decay_steps(self, schedule: Schedule, max_train_steps: int) -> int:
        if self.decay_steps is None:
            return schedule.decay_steps
        if isinstance(self.decay_steps, Sequence):
            raise ValueError(
                "one schedule has one decay, but got (decay_steps="
                f"{list(self.decay_steps)}): several are for a round, "
                "tuner.Round(extend=...)"
            )
        if schedule.decay in ENDLESS:
            raise ValueError(
                f"decay={schedule.decay!r} has no length, but got "
                f"(decay_steps={self.decay_steps}): use LengthenConstant(), or train "
                'the short run with decay="linear" and decay_steps=0'
            )
        return self.decay_steps


@dataclasses.dataclass(frozen=True)
class Stretch(Extension):
    """Extend so that constant phase and decay keep their shares of the steps.

    The shares are of the steps after warm-up; the decay is rounded to whole steps.

    References:
        Jordan Hoffmann et al., Training Compute-Optimal Large Language Models, 2022,
        https://arxiv.org/abs/2203.15556 (a cosine should end where its run ends)
    """

    def _decay_steps(self, schedule: Schedule, max_train_steps: int) -> int:
        before = schedule.max_train_steps - schedule.warmup_steps
        after = max_train_steps - schedule.warmup_steps
        return round(schedule.decay_steps * after / max(before, 1))


@dataclasses.dataclass(frozen=True)
class LengthenDecay(Extension):
    """Extend by a longer decay; the constant phase keeps its length."""

    def _decay_steps(self, schedule: Schedule, max_train_steps: int) -> int:
        return max_train_steps - schedule.warmup_steps - schedule.constant_steps


def _check_parent(schedule: Any, max_train_steps: int) -> None:
    if not isinstance(schedule, Schedule):
        raise TypeError(
            "only a tuner.Schedule has phases to lengthen, but got "
            f"{schedule!r}: return a tuner.Schedule, or pass as extend= a function "
            "(schedule, max_train_steps) -> schedule of your own"
        )
    if max_train_steps <= schedule.max_train_steps:
        raise ValueError(
            "an extension must be longer than the schedule, but got "
            f"(max_train_steps={max_train_steps}) for one of "
            f"{schedule.max_train_steps} steps"
        )
