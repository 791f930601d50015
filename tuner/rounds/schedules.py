"""A trial's schedules by name, how they become longer, and where a child can begin."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tuner.study.rounds import Extend, Round
from tuner.study.schedule import Schedule, rates_of, shared_prefix

RATE = "learning_rate"
COLUMNS = {"trial", "step", "examples"}
Schedules = Mapping[str, Schedule | Callable[[int], float]]
Rates = Mapping[str, np.ndarray]


def as_schedules(returned: Any) -> Schedules:
    """What a study's `schedule` returned, by name, `learning_rate` first.

    Raises:
        ValueError: for a dictionary without that entry.
        TypeError: for what is neither a Schedule nor a function.
    """
    named = dict(returned) if isinstance(returned, Mapping) else {RATE: returned}
    if RATE not in named:
        raise ValueError(
            f"a dictionary of schedules must have the entry {RATE!r}, but has "
            f"{', '.join(map(repr, named)) or 'none'}"
        )
    if taken := COLUMNS & set(named):
        raise ValueError(
            "a schedule is recorded as a column of its name, but there is a column "
            f"{min(taken)!r} already: give the schedule another name"
        )
    for name, schedule in named.items():
        if not (isinstance(schedule, Schedule) or callable(schedule)):
            raise TypeError(
                "`schedule` must return a tuner.Schedule or a function of the count, "
                f"but {name} is {schedule!r}"
            )
    return {RATE: named.pop(RATE), **named}


def rates(schedules: Schedules, max_train_steps: int) -> dict[str, np.ndarray]:
    """What they say for every update, float32 [max_train_steps] each."""
    return {n: rates_of(schedule, max_train_steps) for n, schedule in schedules.items()}


def extend(
    extension: Extend | None, schedules: Schedules, max_train_steps: int
) -> Schedules:
    """A child's schedules by an extension; its parent's where there is none.

    Beside the rate, a plain function of the count goes on as it is: it knows no horizon
    to be told of.
    """
    if extension is None:
        return schedules
    return as_schedules(
        {
            name: extension(schedule, max_train_steps)
            if name == RATE or isinstance(schedule, Schedule)
            else schedule
            for name, schedule in schedules.items()
        }
    )


def shared_steps(old: Rates, new: Rates) -> int:
    """Leading updates at which all rates agree."""
    return min(shared_prefix(old[name], new[name]) for name in old)


def branch_step(
    schedules: Schedules, max_train_steps: int, interval: int, following: Round | None
) -> int | None:
    """The last evaluation before the end whose state a longer schedule can go on from.

    Where the next round keeps trials, its extensions say how far parent and
    child agree. Else the schedules do, so that a promotion thought of later can begin
    there: they agree up to the start of their decay, whatever the extension.

    Args:
        schedules: the trial's.
        max_train_steps: its horizon.
        interval: steps whose multiples are evaluated in this round and in the next.
        following: the next round, if there is one.
    """
    if following is not None and following.extensions:
        old, steps = rates(schedules, max_train_steps), following.max_train_steps
        longer = [extend(one, schedules, steps) for one in following.extensions]
        agree = min(shared_steps(old, rates(new, steps)) for new in longer)
    else:
        known = [s for s in schedules.values() if isinstance(s, Schedule)]
        agree = min([s.prefix_steps for s in known], default=max_train_steps)
    step = agree // interval * interval
    return step if 0 < step < max_train_steps else None
