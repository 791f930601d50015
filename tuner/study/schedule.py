"""Schedules: a learning rate for each step.

A `Schedule` warms up from zero to its peak, stays there, then decays; each phase is a
whole number of steps. The rate of update s is the schedule at count s - 1, as in Optax.
What trains is the array of rates; shapes and horizons never reach a compiled program.
"""

import dataclasses
import numbers
from collections.abc import Callable
from typing import Any

import jaxtyping as jt
import numpy as np

from tuner.study.names import unknown
from tuner.study.optax_code import optax_code
from tuner.study.values import number

Rates = jt.Float32[np.ndarray, " max_train_steps"]

# Relative to the peak, as functions of x: steps of decay, over `decay_scale`.
SHAPES = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: (1 + np.cos(np.pi * x)) / 2,
    "1-sqrt": lambda x: 1 - np.sqrt(x),
    "inverse_sqrt": lambda x: 1 / np.sqrt(1 + x),
    "none": np.ones_like,
}
ENDLESS = ("inverse_sqrt", "none")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """Warm-up, constant, decay.

    With x the share of the decay that is over, the rate relative to the peak falls from
    1 to `final_fraction` as 1 - x ("linear"), (1 + cos(pi x)) / 2 ("cosine") or
    1 - sqrt(x) ("1-sqrt"). "inverse_sqrt" has no end: sqrt(a / (a + t)) after t steps
    of decay, where a is `warmup_steps`, at least 1. "none" does not decay.

    Attributes:
        peak: the highest rate.
        warmup_steps: steps of the linear rise from 0.
        constant_steps: steps at the peak.
        decay_steps: steps of the decay, the first of them still at the peak.
        decay: the shape.
        final_fraction: what the decay tends to, relative to the peak.

    Examples:
        >>> Schedule(peak=1.0, warmup_steps=2, constant_steps=1, decay_steps=2).rates()
        array([0. , 0.5, 1. , 1. , 0.5], dtype=float32)

    References:
        Alexander Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed
        Training Durations, 2024, https://arxiv.org/abs/2405.18392 (1-sqrt)
    """

    peak: int | float
    warmup_steps: int = 0
    constant_steps: int = 0
    decay_steps: int = 0
    decay: str = "linear"
    final_fraction: int | float = 0.0

    def __post_init__(self) -> None:
        if self.decay not in SHAPES:
            raise ValueError(unknown("decay", self.decay, SHAPES))
        for name in ("warmup_steps", "constant_steps", "decay_steps"):
            object.__setattr__(self, name, whole_steps(name, getattr(self, name)))
        for name in ("peak", "final_fraction"):
            object.__setattr__(self, name, number(name, getattr(self, name)))
        _check_fields(self)

    @property
    def max_train_steps(self) -> int:
        """The horizon: steps of all phases."""
        return self.warmup_steps + self.constant_steps + self.decay_steps

    @property
    def prefix_steps(self) -> int:
        """How many leading updates are the same under every extension."""
        if self.decay in ENDLESS:
            return self.max_train_steps
        start_of_decay = self.warmup_steps + self.constant_steps
        return min(start_of_decay + 1, self.max_train_steps)

    @property
    def decay_scale(self) -> int:
        """Steps of decay that are x = 1 in `SHAPES`."""
        scale = self.warmup_steps if self.decay in ENDLESS else self.decay_steps
        return max(scale, 1)

    def rates(self) -> Rates:
        """The rate of each update."""
        warmup = np.arange(self.warmup_steps) / max(self.warmup_steps, 1)
        constant = np.ones(self.constant_steps)
        falling = SHAPES[self.decay](np.arange(self.decay_steps) / self.decay_scale)
        decay = self.final_fraction + (1 - self.final_fraction) * falling
        relative = np.concatenate([warmup, constant, decay])
        return (self.peak * relative).astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """The fields as JSON data."""
        return dataclasses.asdict(self)

    def literal(self) -> str:
        """The schedule as Python, for a script that imports `tuner`."""
        return f"tuner.{self!r}"

    def optax_code(self) -> str:
        """The schedule as Python that defines `schedule`, without `tuner`."""
        return optax_code({**self.describe(), "decay_scale": self.decay_scale})


def warmup_constant_decay(
    peak: int | float,
    max_train_steps: int,
    *,
    warmup_steps: int = 0,
    decay_fraction: int | float | None = None,
    decay_steps: int | None = None,
    decay: str = "linear",
    final_fraction: int | float = 0.0,
) -> Schedule:
    """The schedule of a horizon: what warm-up and decay leave is constant.

    Args:
        peak: the highest rate.
        max_train_steps: the horizon.
        warmup_steps: steps of the linear rise from 0.
        decay_fraction: length of the decay as a share of the whole horizon, rounded to
            whole steps; or
        decay_steps: its length in steps. Without decay, neither.
        decay: the shape; see `Schedule`.
        final_fraction: what the decay tends to, relative to the peak.

    Examples:
        >>> warmup_constant_decay(0.1, 1000, decay_fraction=0.4).constant_steps
        600
    """
    max_train_steps = whole_steps("max_train_steps", max_train_steps)
    warmup_steps = whole_steps("warmup_steps", warmup_steps)
    decay_steps = _decay_steps(decay, decay_fraction, decay_steps, max_train_steps)
    constant_steps = max_train_steps - warmup_steps - decay_steps
    if constant_steps < 0:
        raise ValueError(
            "`warmup_steps + decay_steps <= max_train_steps` must hold, but got "
            f"(warmup_steps={warmup_steps}, decay_steps={decay_steps}, "
            f"max_train_steps={max_train_steps})"
        )
    return Schedule(
        peak=peak,
        warmup_steps=warmup_steps,
        constant_steps=constant_steps,
        decay_steps=decay_steps,
        decay=decay,
        final_fraction=final_fraction,
    )


def cosine(
    peak: int | float,
    max_train_steps: int,
    *,
    warmup_steps: int = 0,
    final_fraction: int | float = 0.0,
) -> Schedule:
    """The schedule of a horizon that is warm-up and one half-wave of a cosine."""
    return warmup_constant_decay(
        peak,
        max_train_steps,
        warmup_steps=warmup_steps,
        decay_steps=max(max_train_steps - warmup_steps, 0),
        decay="cosine",
        final_fraction=final_fraction,
    )


def rates_of(schedule: Schedule | Callable[[int], Any], max_train_steps: int) -> Rates:
    """The rate of each update of a trial.

    Args:
        schedule: a `Schedule`, or any function of the count of updates made before,
            such as Optax's, called at 0, 1, ..., `max_train_steps` - 1.
        max_train_steps: the trial's horizon.

    Raises:
        ValueError: for a schedule of another horizon, or a rate that is negative or
            not finite.
    """
    if isinstance(schedule, Schedule):
        if schedule.max_train_steps != max_train_steps:
            raise ValueError(
                "the phases of a schedule must add up to `max_train_steps`, but got "
                f"({schedule.warmup_steps} + {schedule.constant_steps} + "
                f"{schedule.decay_steps} = {schedule.max_train_steps}, "
                f"max_train_steps={max_train_steps}): "
                "tuner.warmup_constant_decay does the sum"
            )
        return schedule.rates()
    if not callable(schedule):
        raise TypeError(
            "a schedule is a tuner.Schedule or a function of the count, but got "
            f"{schedule!r}"
        )
    rates = np.array([float(schedule(count)) for count in range(max_train_steps)])
    wrong = ~((rates >= 0) & (rates <= np.finfo(np.float32).max))  # NaN is neither
    if wrong.any():
        count = int(wrong.argmax())
        raise ValueError(
            f"rates must be finite and >= 0, but step {count + 1} (the schedule at "
            f"count {count}) got {rates[count]}"
        )
    return rates.astype(np.float32)


def shared_prefix(
    old: Schedule | jt.Float32[np.ndarray, " old_steps"],
    new: Schedule | jt.Float32[np.ndarray, " new_steps"],
) -> int:
    """How many leading updates of two schedules, or arrays of rates, have equal rates.

    Examples:
        >>> short = warmup_constant_decay(0.1, 1000, decay_steps=400)
        >>> long = warmup_constant_decay(0.1, 3000, decay_steps=400)
        >>> shared_prefix(short, long)
        601
    """
    one, other = (s.rates() if isinstance(s, Schedule) else s for s in (old, new))
    length = min(len(one), len(other))
    differs = one[:length] != other[:length]
    return int(differs.argmax()) if differs.any() else length


def whole_steps(name: str, value: Any) -> int:
    """The length of a phase as an int; raises ValueError if it is no whole number."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < 0:
        raise ValueError(
            f"phases are whole steps: `{name}` must be an int >= 0, but got {value!r}"
        )
    return int(value)


def _check_fields(schedule: Schedule) -> None:
    if schedule.peak < 0:
        raise ValueError(f"`peak >= 0` must hold, but got (peak={schedule.peak})")
    if not 0 <= schedule.final_fraction <= 1:
        raise ValueError(
            "`0 <= final_fraction <= 1` must hold, but got "
            f"(final_fraction={schedule.final_fraction})"
        )
    if schedule.max_train_steps == 0:
        raise ValueError("a schedule must have at least one step, but got none")
    if schedule.decay == "none" and schedule.decay_steps:
        raise ValueError(
            "`decay_steps == 0` must hold with decay='none', but got "
            f"(decay_steps={schedule.decay_steps}): use constant_steps="
        )
    if schedule.decay in ENDLESS and schedule.final_fraction:
        raise ValueError(
            f"`final_fraction == 0` must hold with decay={schedule.decay!r}, which has "
            f"no end, but got (final_fraction={schedule.final_fraction})"
        )


def _decay_steps(
    decay: str, fraction: int | float | None, steps: int | None, max_train_steps: int
) -> int:
    given = f"(decay_fraction={fraction}, decay_steps={steps})"
    if decay == "none":
        if fraction is not None or steps is not None:
            raise ValueError(f"decay='none' has no length, but got {given}")
        return 0
    if (fraction is None) == (steps is None):
        raise ValueError(
            "exactly one of `decay_fraction` and `decay_steps` must be given, but got "
            f"{given}"
        )
    if fraction is None:
        return whole_steps("decay_steps", steps)
    if not 0 <= fraction <= 1:
        raise ValueError(
            f"`0 <= decay_fraction <= 1` must hold, but got (decay_fraction={fraction})"
        )
    return round(fraction * max_train_steps)
