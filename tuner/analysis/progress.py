"""How far each trial came, how fast, and what it still gained late: robust to noise.

All values are of stretches of a run, never single extremes: the best of many noisy
evaluations is the better the more there are, and a longer run has more. Values are
signed so that lower is better. Speeds are per doubling of the steps, so that they
compare between runs of any length.
"""

import polars as pl

STRETCHES = 10  # of a run
FEWEST_EVALUATIONS = 20  # two of each stretch: one to choose it by, one to judge it by


def progress(
    curves: pl.DataFrame,
    metric: str,
    trials: pl.DataFrame,
    *,
    maximize: bool = False,
) -> pl.DataFrame:
    """What every complete trial reached, and how fast.

    The best stretch of a run is chosen by every other evaluation and judged by the rest
    (then the other way round), so that choosing does not flatter it.

    Args:
        curves: columns `trial`, `step` and the metric; whole curves.
        metric: its name.
        trials: columns `trial`, `status`, `max_train_steps`, and `high_step`, the last
            step at a high rate, null where it is not known.
        maximize: whether the metric is to be large.

    Returns:
        One row a trial with at least 20 values: `trial`, `horizon`, `start` (the first
        value), `best` and `last` (of the best and of the last stretch), `pace` (from
        the first to the last, per doubling of the steps), `late_gain` (from the second
        third to the last third of the steps at a high rate, per doubling) and
        `rest_gain` (from that second third to the best, the decay included, per
        doubling); the gains are null where rates are not known.
    """
    sign = -1 if maximize else 1
    complete = trials.filter(status="complete").select(
        "trial", "high_step", horizon="max_train_steps"
    )
    rows = (
        curves.select("trial", "step", value=sign * pl.col(metric).cast(pl.Float64))
        .filter(pl.col("value").is_finite())
        .join(complete, on="trial")
        .sort("trial", "step")
        .filter(pl.len().over("trial") >= FEWEST_EVALUATIONS)
    )
    ends = rows.group_by("trial", maintain_order=True).agg(
        pl.col("horizon", "high_step", "step", "value").first()
    )
    doublings = (pl.col("horizon") / pl.col("step")).log(2)
    measured = ends.join(_best(rows), on="trial").join(_thirds(rows), on="trial")
    return measured.select(
        "trial",
        "horizon",
        pl.col("value").alias("start"),
        "best",
        "last",
        pace=(pl.col("value") - pl.col("last")) / doublings,
        late_gain=(pl.col("middle") - pl.col("late"))
        / (pl.col("late_at") / pl.col("middle_at")).log(2),
        rest_gain=(pl.col("middle") - pl.col("best"))
        / (pl.col("horizon") / pl.col("middle_at")).log(2),
    )


def _best(rows: pl.DataFrame) -> pl.DataFrame:
    """The best stretch's value, and the last's: `trial`, `best`, `last`."""
    stretch = (pl.col("step") * STRETCHES - 1) // pl.col("horizon")
    numbered = rows.with_columns(
        stretch=stretch.clip(0, STRETCHES - 1),
        is_odd=pl.int_range(pl.len()).over("trial") % 2 == 1,
    )
    value, odd = pl.col("value"), pl.col("is_odd")
    parts = (
        numbered.group_by("trial", "stretch")
        .agg(
            middle=value.median(),
            odd=value.filter(odd).mean(),
            even=value.filter(odd.not_()).mean(),
        )
        .sort("trial", "stretch")
    )
    judged = parts.filter(pl.col("odd").is_not_null(), pl.col("even").is_not_null())
    by_odd = pl.col("even").get(pl.col("odd").arg_min())
    by_even = pl.col("odd").get(pl.col("even").arg_min())
    best = judged.group_by("trial").agg(best=(by_odd + by_even) / 2)
    last = parts.group_by("trial").agg(last=pl.col("middle").last())
    return best.join(last, on="trial")


def _thirds(rows: pl.DataFrame) -> pl.DataFrame:
    """The median values of the second and last third of the high rates, and where.

    A single evaluation far out moves a median little.
    """
    third = 3 * pl.col("step") / pl.col("high_step")
    second, last = (third > 1) & (third <= 2), (third > 2) & (third <= 3)
    value, step = pl.col("value"), pl.col("step").cast(pl.Float64)
    return rows.group_by("trial").agg(
        middle=value.filter(second).median(),
        middle_at=step.filter(second).mean(),
        late=value.filter(last).median(),
        late_at=step.filter(last).mean(),
    )
