"""`find_steps`: how many steps it takes to fit a study's training set.

The playbook's procedure for a first candidate of `max_train_steps` (playbook D6). Its
parts are ordinary runs, in `steps/` below the run's directory, and the verdict lies
beside them: the same call goes on where it was interrupted.
"""

import dataclasses
from pathlib import Path
from typing import Any

from tuner.rounds.fit import UNFINISHED, StepsToFit
from tuner.rounds.layouts import LayoutLike
from tuner.rounds.procedure import Procedure
from tuner.rounds.stopping import stop_before_the_start
from tuner.rounds.subject import subject
from tuner.store import verdict
from tuner.study import fitting
from tuner.study.constant_rate import ConstantRate
from tuner.study.fitting import Search
from tuner.study.perfect import on_training_set, perfect_fit
from tuner.study.plain import (
    off_values,
    rate_names,
    unkind,
    without_regularization,
)
from tuner.study.sampling import sample
from tuner.study.study import Maximize, Study

LONGER = 16  # times its first horizon, the search goes on to if nothing else is said


@stop_before_the_start()
def find_steps(
    study: Study,
    directory: str | Path,
    *,
    metric: str | Maximize | None = None,
    perfect: int | float | None = None,
    rate: str = "learning_rate",
    low: float | None = None,
    high: float | None = None,
    rates: int | None = None,
    trials: int = 16,
    first_steps: int | None = None,
    max_steps: int | None = None,
    evaluations: int = 50,
    layout: LayoutLike | None = None,
    memory: str | int | None = None,
    lock: bool = True,
) -> StepsToFit:
    """Find out whether the training set can be fitted, and in how many steps.

    First any configuration is looked for that fits the set perfectly, at growing
    horizons. Then it trains at every rate of a grid, each for as many steps as the
    search needed. Rates are constant, regularization and augmentation off. The answer
    is the step at which the fastest rate fits; it is refused, with the grid to try
    next, where that rate lies on the grid's edge.

    Args:
        study: whose training set and space they are.
        directory: of the study's run; all is kept in its folder `steps/`.
        metric: of the training set in evaluation mode, "train/error", or
            `Maximize("train/f1")`; the study's own error or accuracy if None.
        perfect: its perfect value: 0 of what is to be small, 1 of what is to be large,
            if None.
        rate: the name of the learning rate in the space.
        low: the grid's lowest rate; that of the study's range if None.
        high: its highest; likewise.
        rates: how many it has, evenly on a log scale; four a decade if None.
        trials: of the search.
        first_steps: the search's first horizon; that of the study's first round if
            None.
        max_steps: its last; 16 times the first, or the study's last if that is longer,
            if None.
        evaluations: of a trial of the grid, until the search's steps.
        layout: as in `run`.
        memory: as in `run`.
        lock: as in `run`.

    Raises:
        ValueError, TypeError: before anything compiles, for what can never run.
    """
    if evaluations < 1:
        raise ValueError(f"`evaluations >= 1` must hold, but got {evaluations}")
    first_steps = first_steps or study.rounds[0].max_train_steps
    longest = max(LONGER * first_steps, study.rounds[-1].max_train_steps)
    search = Search(
        trials=trials, first_steps=first_steps, max_steps=max_steps or longest
    )
    plain = without_regularization(study, rate)
    grid = fitting.default_grid(plain, rate, low=low, high=high, rates=rates)
    off = off_values(study.space)
    plain = fitting.with_task(plain, on_training_set(study.task))
    procedure = Procedure(
        study=plain,
        directory=Path(directory),
        perfect=perfect_fit(
            plain.task, _any(plain), study.target, metric=metric, value=perfect
        ),
        search=search,
        grid=grid,
        evaluations=evaluations,
        constant=ConstantRate(
            study,
            tuple(rate_names(plain.space, rate)),
            tuple(off),
        ),
        options={"layout": layout, "memory": memory, "lock": lock},
    )
    found = dataclasses.replace(
        procedure.find(),
        off=off,
        unknown=tuple(unkind(plain.space, rate)),
    )
    if found.verdict != UNFINISHED:
        about = {"about": subject(study)}
        verdict.write(Path(directory), found.describe() | about)
    return found


def _any(study: Study) -> dict[str, Any]:
    """Some configuration of a study."""
    combination = study.space.combinations()[0]
    (first,) = sample(
        study.space, combination, seed=study.seed, version=0, start=0, count=1
    )
    return first
