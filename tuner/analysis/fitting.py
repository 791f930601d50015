"""Steps to fit the training set, rate by rate, and what may be concluded from them.

The answer is the step at which the fastest of many constant rates fits the set
perfectly. It is refused where that rate is the lowest or the highest of the grid: were
all rates too low, the answer would be too large (playbook D6). Where higher rates of
the grid have diverged the fastest is no edge: it has neighbours on both sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tuner.analysis.curves import best_so_far
from tuner.analysis.ranking import BROKEN

FITTED, DIVERGED, NOT_FITTED = "fitted", "diverged", "not fitted"
CORRELATED = 0.7  # rates and results, by rank
FEWEST = 12  # results of which a correlation is taken
RATES = {  # columns of a table of steps by rate
    "learning_rate": pl.Float64,
    "outcome": pl.String,
    "steps": pl.Int64,
    "best": pl.Float64,
    "within": pl.Int64,
    "every": pl.Int64,
}


@dataclass(frozen=True)
class Fastest:
    """The fastest rate of a grid.

    Attributes:
        steps: it needed, to the evaluation.
        learning_rate: which it is; the middle one where several are as fast.
        every: steps between its evaluations: so much earlier it may have fitted.
        edge: "low" or "high" where it is, or ties with, the end of the grid; else "".
    """

    steps: int
    learning_rate: float
    every: int
    edge: str


def first_fits(
    curves: pl.DataFrame, metric: str, perfect: float, *, maximize: bool = False
) -> pl.DataFrame:
    """The first step at which each trial was perfect: `trial`, `steps`.

    Args:
        curves: columns `trial`, `step` and the metric; whole curves.
        metric: its name.
        perfect: the value that is perfect.
        maximize: whether the metric is to be large.

    Returns:
        No row for a trial that never was.
    """
    limit, value = np.float32(perfect).item(), pl.col(metric).cast(pl.Float32)
    met = value >= limit if maximize else value <= limit
    fits = curves.filter(met & pl.col(metric).is_not_nan())
    return fits.group_by("trial").agg(steps=pl.col("step").min()).sort("trial")


def steps_by_rate(
    trials: pl.DataFrame,
    curves: pl.DataFrame,
    metric: str,
    perfect: float,
    *,
    rate: str,
    every: int,
    maximize: bool = False,
) -> pl.DataFrame:
    """Steps to fit against constant rate, in the order of the rates.

    Args:
        trials: columns `trial`, `status`, `max_train_steps` and the rate.
        curves: as in `first_fits`.
        metric: as in `first_fits`.
        perfect: as in `first_fits`.
        rate: the column of `trials` that holds the constant rate.
        every: steps between evaluations.
        maximize: as in `first_fits`.

    Returns:
        One row a rate: `learning_rate`, `outcome` ("fitted", "not fitted" or
        "diverged"), `steps` (null unless fitted), `best` (of the metric), `within` (the
        horizon) and `every`.
    """
    fits = first_fits(curves, metric, perfect, maximize=maximize)
    best = pl.col(metric).max() if maximize else pl.col(metric).min()
    bests = curves.filter(pl.col(metric).is_finite()).group_by("trial").agg(best=best)
    broken = pl.col("status").is_in(BROKEN)
    outcome = pl.when(pl.col("steps").is_not_null()).then(pl.lit(FITTED))
    outcome = outcome.when(broken).then(pl.lit(DIVERGED)).otherwise(pl.lit(NOT_FITTED))
    joined = trials.join(fits, on="trial", how="left").join(bests, "trial", "left")
    table = joined.select(
        learning_rate=pl.col(rate),
        outcome=outcome,
        steps="steps",
        best="best",
        within="max_train_steps",
        every=pl.lit(every),
    )
    columns = [pl.col(name).cast(dtype) for name, dtype in RATES.items()]
    return table.select(columns).sort("learning_rate")


def finest(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Several tables of `steps_by_rate` as one: each rate by what is known best of it.

    That is where it fitted and was evaluated most often, or else the longest try.
    """
    fitted = pl.col("outcome") == FITTED
    ordered = pl.concat(tables).sort(
        "learning_rate",
        fitted.not_(),
        pl.when(fitted).then("every"),
        pl.col("within").neg(),
    )
    return ordered.unique("learning_rate", keep="first", maintain_order=True)


def fastest(rates: pl.DataFrame) -> Fastest | None:
    """The fastest rate, and whether it lies on an edge; None where no rate has fitted.

    Args:
        rates: what `steps_by_rate` returns.
    """
    rates = rates.sort("learning_rate").with_row_index("place")
    fitted = rates.filter(outcome=FITTED)
    if fitted.is_empty():
        return None
    tied = fitted.filter(pl.col("steps") == pl.col("steps").min())
    places = tied["place"].to_list()
    edge = "low" if 0 in places else ""
    edge = "high" if rates.height - 1 in places else edge
    row = tied.row({"low": 0, "high": -1, "": tied.height // 2}[edge], named=True)
    return Fastest(row["steps"], row["learning_rate"], row["every"], edge)


def next_grid(low: float, high: float, centre: float) -> tuple[float, float]:
    """A grid as wide as one that was tried, around another rate, on a log scale.

    Examples:
        >>> next_grid(1e-4, 1e-2, 1e-2)
        (0.001, 0.1)
    """
    half = (high / low) ** 0.5
    return float(f"{centre / half:.3g}"), float(f"{centre * half:.3g}")


def better_end(trials: pl.DataFrame, rate: str, *, maximize: bool = False) -> str:
    """The end of the rates, "low" or "high", towards which trials get better, or "".

    They do where the rank correlation of rates and results is 0.7 at least and the best
    lies in the outermost quarter of the rates: of 16 trials that differ by chance alone
    in 0.1 % of cases at each end. The best below a cliff of rates that broke lies in no
    such quarter, for these are counted.

    Args:
        trials: columns `status`, `best_objective` and the rate, which may be null.
        rate: the name of its column.
        maximize: whether the objective is to be large.
    """
    tried = trials.filter(pl.col(rate).is_not_null()).sort(rate).with_row_index("place")
    sound = tried.filter(
        pl.col("status").is_in(BROKEN).not_(), pl.col("best_objective").is_finite()
    )
    if sound.height < FEWEST:
        return ""
    correlation = pl.corr("place", "best_objective", method="spearman")
    better = sound.select(correlation).item() * (1 if maximize else -1)
    best = sound.sort("best_objective", descending=maximize).item(0, "place")
    quarter = tried.height // 4
    if better >= CORRELATED and best >= tried.height - quarter:
        return "high"
    return "low" if better <= -CORRELATED and best < quarter else ""


def closest(
    curves: pl.DataFrame, metric: str, *, maximize: bool = False
) -> tuple[float, float] | None:
    """The best value that any trial came to, and the best until half its last step.

    Were they to differ much, longer training might still fit the set.

    Args:
        curves: as in `first_fits`.
        metric: as in `first_fits`.
        maximize: as in `first_fits`.
    """
    so_far = best_so_far(curves, metric, maximize=maximize)
    so_far = so_far.filter(pl.col("best_so_far").is_finite())
    if so_far.is_empty():
        return None
    ends = so_far.group_by("trial", maintain_order=True).last()
    ends = ends.sort("best_so_far", "step", "trial", descending=[maximize, True, False])
    trial, last, best = ends.select("trial", "step", "best_so_far").row(0)
    early = so_far.filter(pl.col("trial") == trial, pl.col("step") <= last / 2)
    before = early["best_so_far"].to_list()
    return best, before[-1] if before else best
