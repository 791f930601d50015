"""The studies that find out how many steps it takes to fit a training set.

Both are made from a user's study: regularization and augmentation switched off, the
rate constant, the task judged on its training set. The *search* looks for any
configuration that fits the set perfectly, at growing horizons; the *grid* trains that
configuration at many constant rates, each for the steps that the search needed
(playbook D6). Horizons are steps.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuner.study.constant_rate import ConstantRate
from tuner.study.domains import Float, Range
from tuner.study.extension import LengthenConstant
from tuner.study.perfect import Perfect
from tuner.study.plain import rate_names
from tuner.study.study import Round, Study
from tuner.study.task import Task

GROWTH = 4  # of the search's horizons
FEWEST_KEPT = 4  # of its trials, at any horizon
SEARCH_EVALUATIONS = 25  # until its first horizon
A_DECADE = 4  # rates of a grid


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
    """How far a fitting configuration is looked for.

    Attributes:
        trials: that begin; half of them go on to each longer horizon.
        first_steps: the first horizon.
        max_steps: the last.
    """

    trials: int
    first_steps: int
    max_steps: int

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"`trials >= 1` must hold, but got trials={self.trials}")
        if not 1 <= self.first_steps <= self.max_steps:
            raise ValueError(
                "`1 <= first_steps <= max_steps` must hold, but got "
                f"(first_steps={self.first_steps}, max_steps={self.max_steps})"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid:
    """Constant rates, evenly spaced on a log scale, both ends included."""

    low: float
    high: float
    rates: int

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise ValueError(
                "`0 < low < high` must hold of a grid of rates, but got "
                f"(low={self.low}, high={self.high})"
            )
        if self.rates < 3:
            raise ValueError(
                "`rates >= 3` must hold, for a rate between two others is looked for, "
                f"but got (rates={self.rates})"
            )

    @property
    def values(self) -> list[float]:
        """The rates, growing."""
        return np.geomspace(self.low, self.high, self.rates).tolist()


def default_grid(
    study: Study,
    rate: str,
    *,
    low: float | None = None,
    high: float | None = None,
    rates: int | None = None,
) -> Grid:
    """The grid over the study's own range of rates, four a decade, as far as not given.

    Args:
        study: `without_regularization`.
        rate: the learning rate's name.
        low: the lowest rate.
        high: the highest.
        rates: how many.
    """
    domains = [study.space.domains[name] for name in rate_names(study.space, rate)]
    ranges = [domain for domain in domains if isinstance(domain, Range)]
    low = min(domain.low for domain in ranges) if low is None else low
    high = max(domain.high for domain in ranges) if high is None else high
    if rates is None and 0 < low < high:
        rates = max(round(A_DECADE * math.log10(high / low)) + 1, 3)
    return Grid(low=low, high=high, rates=rates or 3)


def search_study(
    study: Study, search: Search, perfect: Perfect, constant: ConstantRate
) -> Study:
    """Looks for any configuration that fits; ends as soon as one does.

    Args:
        study: `without_regularization`, its task judged on the training set.
        search: how far.
        perfect: when the set is fitted.
        constant: the schedule.
    """
    every = max(1, search.first_steps // SEARCH_EVALUATIONS)
    kept = _multiple(search.trials, len(study.space.combinations()))
    rounds = []
    for steps in _horizons(search, every):
        if not rounds:
            rounds.append(Round(trials=kept, max_train_steps=steps))
            continue
        kept = min(kept, max(FEWEST_KEPT, kept // 2))
        longer = LengthenConstant()
        rounds.append(
            Round(keep=kept, across="all", max_train_steps=steps, extend=longer)
        )
    return dataclasses.replace(
        study,
        name=f"{study.name}-search",
        goal="Does any configuration fit the training set perfectly?",
        schedule=constant,
        objective=perfect.objective,
        rounds=rounds,
        eval_every=every,
        sampling="halton",
        stop=perfect.target,
    )


def grid_study(
    study: Study,
    grid: Grid,
    perfect: Perfect,
    rate: str,
    constant: ConstantRate,
    *,
    configuration: Mapping[str, Any],
    steps: int,
    evaluations: int,
) -> Study:
    """One configuration at every rate of a grid; a trial ends when it has fitted.

    Args:
        study: as in `search_study`.
        grid: the rates.
        perfect: as in `search_study`.
        rate: the learning rate's flat name in that configuration.
        constant: as in `search_study`.
        configuration: that the search found.
        steps: which it needed, rounded up to whole stretches between evaluations.
        evaluations: until then.
    """
    every = max(1, steps // evaluations)
    space = study.space.replace({rate: Float(grid.low, grid.high, log=True)})
    chosen = {n: value for n, value in configuration.items() if n in space.domains}
    points = [{**chosen, rate: value} for value in grid.values]
    return dataclasses.replace(
        study,
        name=f"{study.name}-grid",
        goal="How many steps does each constant rate need to fit the training set?",
        space=space,
        schedule=constant,
        objective=perfect.objective,
        rounds=[Round(points=points, max_train_steps=_multiple(steps, every))],
        eval_every=every,
        stop=perfect,
    )


def over_grid(study: Study, grid: Grid, names: Sequence[str]) -> Study | None:
    """The study with the grid's rates to search; None if they are all its own.

    Args:
        study: as in `search_study`.
        grid: the rates.
        names: of the learning rate, flat.
    """
    ranges = [study.space.domains[name] for name in names]
    reached = [r for r in ranges if isinstance(r, Range)]
    low, high = min(r.low for r in reached), max(r.high for r in reached)
    if low <= grid.low and grid.high <= high:
        return None
    rates = Float(grid.low, grid.high, log=True)
    space = study.space.replace(dict.fromkeys(names, rates))
    return dataclasses.replace(study, space=space)


def with_task(study: Study, task: Task) -> Study:
    """The study with another task."""
    return dataclasses.replace(study, task=task)


def _horizons(search: Search, every: int) -> list[int]:
    """From the first to the last, in whole stretches between evaluations."""
    steps, horizons = search.first_steps, []
    while steps < search.max_steps:
        horizons.append(_multiple(steps, every))
        steps *= GROWTH
    horizons.append(_multiple(search.max_steps, every))
    return sorted(set(horizons))


def _multiple(number: int, of: int) -> int:
    """The smallest multiple that is no smaller."""
    return -(-number // of) * of
