"""What longer training gained, measured twice: at two horizons, and by the slope.

A gain is per doubling of the steps, and is held against the trial's own pace: a tenth
of it is where "still improving" ends. Whatever the metric's unit, both are in it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from tuner.analysis.phases import annealing
from tuner.analysis.progress import progress

MATERIAL = 0.1  # of the pace before
LEVEL = 0.99  # of intervals of means
LEVEL_OF_ALL = 0.998  # of the intervals of all trials together
REACH = 0.75  # of the run, for which the rate has to be high
FEWEST = 4  # configurations, without which a mean has no interval

BOUND, NOT_BOUND, UNDECIDED = "compute-bound", "not compute-bound", "cannot tell"

GAINS = {
    "kind": pl.String,
    "trial": pl.Int64,
    "better": pl.Boolean,
    "short": pl.Int64,
    "long": pl.Int64,
    "gain": pl.Float64,
    "rest": pl.Float64,
    "pace": pl.Float64,
    "worsens": pl.Float64,
    "train_gain": pl.Float64,
    "train_pace": pl.Float64,
}


def with_rates(trials: pl.DataFrame, updates: pl.DataFrame | None) -> pl.DataFrame:
    """The trials with `high_step` and `annealed`, null where no rates are known."""
    if updates is None or "learning_rate" not in updates.columns:
        return trials.with_columns(
            high_step=pl.lit(None, pl.Int64), annealed=pl.lit(None, pl.Boolean)
        )
    rates = annealing(updates).select("trial", "high_step", "annealed")
    return trials.join(rates, on="trial", how="left", maintain_order="left")


def measured(
    trials: pl.DataFrame,
    evaluations: pl.DataFrame,
    losses: pl.DataFrame | None,
    objective: str,
    train_loss: str,
    *,
    maximize: bool,
) -> pl.DataFrame:
    """The progress of every complete trial by the objective and by the training loss.

    Args:
        trials: what `with_rates` returns, with `better`, whether a trial is in the
            better half of its horizon's.
        evaluations: whole curves with the objective.
        losses: whole curves with the training loss, None where it was not recorded.
        objective: the metric's name.
        train_loss: likewise.
        maximize: whether the objective is to be large.
    """
    by_objective = progress(evaluations, objective, trials, maximize=maximize)
    names = ["best", "pace", "rest_gain"]
    if losses is None:
        nothing = [pl.lit(None, pl.Float64).alias(f"train_{name}") for name in names]
        both = by_objective.with_columns(nothing)
    else:
        by_loss = progress(losses, train_loss, trials)
        named = by_loss.select("trial", pl.col(names).name.prefix("train_"))
        both = by_objective.join(named, on="trial", how="left")
    known = [name for name in trials.columns if name not in both.columns]
    return both.join(trials.select("trial", *known), on="trial").sort("trial")


def configuration(trials: pl.DataFrame) -> list[str]:
    """The columns that trials of the same configuration share."""
    names = [name for name in trials.columns if name.startswith("hp.")] or ["sample"]
    return [name for name in (*names, "combination") if name in trials.columns]


def horizon_gains(rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """What every configuration gained from one horizon to the next that it has.

    Seeds and extension rules of one configuration count once, by their mean: they are
    no independent evidence. Only trials that are both annealed, or both not, are
    compared.

    Args:
        rows: what `measured` returns.
        keys: the columns that say which trials are of one configuration.

    Returns:
        Columns of `GAINS`, a row for each configuration and pair of horizons; `trial`
        is the first of the longer horizon's, and `better` is true where a trial was in
        the better half of the shorter horizon's.
    """
    if not keys:
        return pl.DataFrame(schema=GAINS)
    numbers = ["best", "last", "pace", "train_best", "train_pace"]
    means = (
        rows.group_by(*keys, "annealed", "horizon")
        .agg(pl.col("trial").min(), pl.col("better").any(), pl.col(numbers).mean())
        .sort("horizon", "trial")
    )
    groups = [*keys, "annealed"]
    later = means.with_columns(
        pl.col(name).shift(1).over(groups, order_by="horizon").alias(f"short_{name}")
        for name in ("horizon", "better", *numbers)
    ).filter(pl.col("short_horizon").is_not_null())
    doublings = (pl.col("horizon") / pl.col("short_horizon")).log(2)
    gain = (pl.col("short_best") - pl.col("best")) / doublings
    return later.select(
        kind=pl.lit("two horizons"),
        trial=pl.col("trial").cast(pl.Int64),
        better="short_better",
        short=pl.col("short_horizon").cast(pl.Int64),
        long=pl.col("horizon").cast(pl.Int64),
        gain=gain,
        rest=gain,
        pace="short_pace",
        worsens=pl.col("last") - pl.col("best"),
        train_gain=(pl.col("short_train_best") - pl.col("train_best")) / doublings,
        train_pace="short_train_pace",
    ).sort("long", "short", "trial")


def slope_gains(rows: pl.DataFrame) -> pl.DataFrame:
    """What every trial gained late, at a rate of at least half its peak.

    A rate that falls below that earlier than in the last quarter of the run says
    nothing of the run's end: what was still improving then may have ended since.

    Args:
        rows: what `measured` returns.

    Returns:
        Columns of `GAINS`; `short` is the last step at a high rate, `rest` what was
        gained until the end of the run.
    """
    high = rows.filter(
        pl.col("high_step") >= REACH * pl.col("horizon"),
        pl.col("late_gain").is_not_null(),
    )
    return high.select(
        kind=pl.lit("slope"),
        trial=pl.col("trial").cast(pl.Int64),
        better="better",
        short=pl.col("high_step").cast(pl.Int64),
        long=pl.col("horizon").cast(pl.Int64),
        gain="late_gain",
        rest="rest_gain",
        pace="pace",
        worsens=pl.col("last") - pl.col("best"),
        train_gain="train_rest_gain",
        train_pace="train_pace",
    )


def judge(gains: pl.DataFrame) -> str:
    """What the mean of some configurations' gains says.

    "compute-bound": the gain is more than a tenth of the pace. "not compute-bound": it
    is less, until the end of the run and in training too, or the objective gets worse
    again; and something was learned at all. Each by a 99 % interval.
    """
    if gains.height < FEWEST:
        return UNDECIDED
    ends = {name: interval(values) for name, values in _margins(gains).items()}
    return _says({n: (np.array(a), np.array(b)) for n, (a, b) in ends.items()}).item()


def judge_each(gains: pl.DataFrame) -> list[str]:
    """What each configuration's gain says on its own.

    A trial has one gain, so its noise is that between the others, and the interval
    makes allowance for how many are judged: few say anything.
    """
    if gains.height < FEWEST:
        return [UNDECIDED] * gains.height
    return _says({n: _each(values) for n, values in _margins(gains).items()}).tolist()


def _says(ends: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """What intervals of the margins say; one that is not known says nothing."""
    above = {name: low > 0 for name, (low, _) in ends.items()}
    below = {name: high < 0 for name, (_, high) in ends.items()}
    learned = above["pace"] & (above["train_pace"] | np.isnan(ends["train_pace"][0]))
    is_flat = below["rest"] & (below["training"] | above["worsening"])
    flat_or_open = np.where(learned & is_flat, NOT_BOUND, UNDECIDED)
    return np.where(above["excess"], BOUND, flat_or_open)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Student's interval of a mean, from one value of each configuration."""
    from scipy import stats  # half a second, which reading need not wait for

    number = len(values)
    reach = stats.t.ppf((1 + LEVEL) / 2, number - 1) * values.std(ddof=1)
    middle = float(values.mean())
    return middle - float(reach) / number**0.5, middle + float(reach) / number**0.5


def _each(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Student's interval of each value, its noise the spread of the others."""
    from scipy import stats  # half a second, which reading need not wait for

    number = len(values)
    apart = (values - values.mean()) ** 2
    others = (apart.sum() - apart * number / (number - 1)) / (number - 2)
    level = 1 - (1 - LEVEL_OF_ALL) / (2 * number)
    reach = stats.t.ppf(level, number - 2) * np.sqrt(np.maximum(others, 0))
    return values - reach, values + reach


def _margins(gains: pl.DataFrame) -> dict[str, np.ndarray]:
    """By how much gains and the like pass what is material; NaN where not known."""
    tenth, train_tenth = MATERIAL * pl.col("pace"), MATERIAL * pl.col("train_pace")
    margins = gains.select(
        excess=pl.col("gain") - tenth,
        rest=pl.col("rest") - tenth,
        pace=pl.col("pace"),
        training=pl.col("train_gain") - train_tenth,
        train_pace=pl.col("train_pace"),
        worsening=pl.col("worsens") - tenth,
    )
    return {column.name: column.fill_null(np.nan).to_numpy() for column in margins}
