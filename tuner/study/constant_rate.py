"""A constant rate in the place of a study's own schedule."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tuner.study.hyperparams import Hyperparams
from tuner.study.schedule import Schedule, rates_of
from tuner.study.study import Study


@dataclasses.dataclass(frozen=True)
class ConstantRate:
    """The schedule of both studies: the rate from the first step to the last.

    Whatever else the user's schedule sets, step by step, stays as it is at the study's
    own first horizon, unless it is switched off.

    Attributes:
        study: the user's own.
        names: of the rate, flat.
        off: what is switched off.
    """

    study: Study
    names: Sequence[str]
    off: Sequence[str]

    def __call__(self, hyperparams: Hyperparams, max_train_steps: int) -> Any:
        """The schedules of a trial, by name."""
        values = (_value(hyperparams, name) for name in self.names)
        peak = next(value for value in values if value is not None)
        rate = Schedule(peak=peak, constant_steps=max_train_steps, decay="none")
        return {"learning_rate": rate, **self._others(hyperparams)}

    def _others(self, hyperparams: Hyperparams) -> dict[str, Any]:
        steps = self.study.rounds[0].max_train_steps
        returned = self.study.schedule(hyperparams, steps)
        if not isinstance(returned, Mapping):
            return {}
        return {
            name: _held(schedule, steps) if isinstance(schedule, Schedule) else schedule
            for name, schedule in returned.items()
            if name not in ("learning_rate", *self.off)
        }


def _held(schedule: Schedule, steps: int) -> Any:
    """A schedule as a function of the count, which keeps its last value for ever."""
    values = rates_of(schedule, steps)
    return lambda count: float(values[min(count, steps - 1)])


def _value(hyperparams: Hyperparams, name: str) -> Any:
    """A hyperparameter by flat name, None where another value was chosen above it."""
    parts = name.split(".")
    while len(parts) > 1:
        choice, branch, *parts = parts
        hyperparams = getattr(hyperparams, choice)
        if hyperparams.name != branch:
            return None
    return getattr(hyperparams, parts[0])
