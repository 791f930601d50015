"""Scientific combinations compared fairly: each by its best trial (playbook B6)."""

import polars as pl

from tuner.analysis.ranking import best_first

RESOLUTION = 1e-6  # relative: float32 tells no closer numbers apart


def compare_combinations(
    trials: pl.DataFrame, *, maximize: bool = False
) -> pl.DataFrame:
    """Every scientific combination by its best trial, the winner first.

    The nuisances are optimized away: what remains is the effect of the combination, if
    each had its chance, so the number of its trials stands beside it.

    Args:
        trials: columns `trial`, `status`, `combination`, `best_objective`, `tie`.
        maximize: whether the objective is to be large.

    Returns:
        One row a combination: `combination`, `num_trials`, `trial`, `best_objective`,
        `tie`, `behind` (its distance from the winner, never negative) and `tied`
        (whether it is no worse than the winner). Those of which no trial has a result
        come last, with nulls.
    """
    sign = -1 if maximize else 1
    behind = sign * (pl.col("best_objective") - pl.col("best_objective").first())
    close = RESOLUTION * pl.col("best_objective").first().abs()
    counted = trials.group_by("combination", maintain_order=True).agg(
        num_trials=pl.len()
    )
    winners = (
        best_first(trials, maximize=maximize)
        .unique("combination", keep="first", maintain_order=True)
        .select("combination", "trial", "best_objective", "tie", behind=behind)
        .with_columns(tied=pl.col("behind") <= close, place=pl.int_range(pl.len()))
    )
    return (
        counted.join(winners, on="combination", how="left", maintain_order="left")
        .sort("place", nulls_last=True, maintain_order=True)
        .drop("place")
    )
