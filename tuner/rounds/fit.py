"""What `find_steps` found: a verdict with its evidence."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import polars as pl

from tuner.analysis.fitting import Fastest
from tuner.rounds.wording import count, number

ANSWER, REFUSED, NOT_FITTED = "answer", "refused", "not fitted"
UNFINISHED = "unfinished"


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepsToFit:
    """How many steps the training set takes to be fitted perfectly, if it can be.

    Attributes:
        verdict: "answer"; "refused", the best rates lie on an edge, of the grid or,
            where nothing fitted, of the range that was searched; "not fitted", no
            configuration fitted it; "unfinished", interrupted, and the same call goes
            on.
        metric: by which a fit is judged.
        perfect: its perfect value.
        grid: lowest and highest rate, and how many.
        searched_trials: that looked for a configuration which fits.
        searched_steps: that the first to fit needed; if none did, how far they went.
        closest: the best value of the metric in the search, and the best until half as
            many steps; None where no trial has one.
        configuration: that fits, by flat name; empty where none does.
        rate: the learning rate's flat name in it.
        rates: steps to fit by rate, the evidence; see `analysis.steps_by_rate`.
        steps: of the fastest rate, None where no rate of the grid fits. An answer only
            where the verdict is one, otherwise an upper limit.
        learning_rate: the fastest.
        every: steps between its evaluations.
        edge: of the grid that the fastest lies on, "low", "high" or "".
        next_grid: lowest and highest rate to try, where there is no answer.
        off: what was switched off, and its value.
        unknown: names that do not say what they act on, and were searched.
    """

    verdict: str
    metric: str
    perfect: float
    grid: tuple[float, float, int]
    searched_trials: int
    searched_steps: int
    closest: tuple[float, float] | None
    rates: pl.DataFrame
    configuration: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    rate: str = ""
    steps: int | None = None
    learning_rate: float | None = None
    every: int | None = None
    edge: str = ""
    next_grid: tuple[float, float] | None = None
    off: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the training set can be fitted: the study is not compute-bound."""
        return bool(self.configuration)

    @property
    def text(self) -> str:
        """The verdict in words."""
        return WORDS[self.verdict](self)

    def at(self, best: Fastest) -> "StepsToFit":
        """The same with the fastest rate of the grid."""
        return dataclasses.replace(
            self,
            steps=best.steps,
            learning_rate=best.learning_rate,
            every=best.every,
            edge=best.edge,
        )

    def describe(self) -> dict[str, Any]:
        """All of it as JSON data."""
        fields = dataclasses.fields(self)
        data = {field.name: getattr(self, field.name) for field in fields}
        return data | {"rates": self.rates.to_dicts(), "fits": self.fits}


def _answer(found: StepsToFit) -> str:
    assert found.steps is not None
    assert found.every is not None
    return (
        f"the training set is fitted perfectly ({_goal(found)}) in "
        f"{count(found.steps, 'step')}, at the constant rate "
        f"{number(found.learning_rate)}; {_precision(found.every)}. That is a first "
        "candidate for max_train_steps, and the study is not compute-bound: one round "
        "at that horizon, refined by the best steps of its trials, is the recipe."
    )


def _refused(found: StepsToFit) -> str:
    assert found.next_grid is not None
    low, high, _ = found.grid
    limits = f"from {number(low)} to {number(high)}"
    following = " to ".join(map(number, found.next_grid))
    if not found.fits:
        return (
            f"no answer: {_in_vain(found)}, but they got better towards "
            f"the {found.edge} end of the rates {limits}, and {EDGES[found.edge]} one "
            f"may fit. The range to try next is from {following}."
        )
    if found.steps is None:
        where = (
            f"no rate of the grid {limits} fits it within "
            f"{count(found.rates.item(0, 'within'), 'step')}"
        )
    else:
        where = (
            f"the fastest rate, {number(found.learning_rate)} in "
            f"{count(found.steps, 'step')}, is at the {found.edge} end of the grid "
            f"{limits}, and {EDGES[found.edge]} one may be faster"
        )
    return (
        f"no answer: the training set can be fitted perfectly ({_goal(found)}), but "
        f"{where}. The grid to try next is from {following}."
    )


def _not_fitted(found: StepsToFit) -> str:
    came = "all of them diverged"
    if found.closest is not None:
        best, before = map(number, found.closest)
        came = f"the best came to {best}, and to {before} in half its steps"
    return (
        f"the training set cannot be fitted: {_in_vain(found)}; {came}. Rounds are the "
        "recipe: many "
        "short trials, the best of them trained longer."
    )


def _unfinished(found: StepsToFit) -> str:
    return "interrupted: the same call goes on."


def _in_vain(found: StepsToFit) -> str:
    return (
        f"none of {count(found.searched_trials, 'trial')} reached {_goal(found)} "
        f"within {count(found.searched_steps, 'step')}"
    )


def _goal(found: StepsToFit) -> str:
    return f"{found.metric} {found.perfect:g}"


def _precision(every: int) -> str:
    if every == 1:
        return "it was evaluated at every step"
    return f"it was evaluated every {every:,} steps, so up to {every - 1:,} too many"


EDGES = {"low": "a lower", "high": "a higher"}
WORDS = {
    ANSWER: _answer,
    REFUSED: _refused,
    NOT_FITTED: _not_fitted,
    UNFINISHED: _unfinished,
}
