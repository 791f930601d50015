"""What a configuration came to in each round: one number, however often it was trained.

A configuration is what shares sample, combination and hyperparameters. Here smaller is
better whatever the objective, and a trial that broke is the worst there is: infinity.
"""

import polars as pl

from tuner.analysis.ranking import BROKEN

OWN = "own_objective"


def with_own_results(
    trials: pl.DataFrame,
    evaluations: pl.DataFrame,
    metric: str,
    *,
    maximize: bool = False,
) -> pl.DataFrame:
    """The trials with `own_objective`: the best of what each evaluated itself.

    The best of a whole curve may lie in what a promoted trial shares with its parent.
    The two would then agree by being the same number.

    Args:
        trials: columns `trial` and `start_step`.
        evaluations: curves with the columns `trial`, `step` and the metric.
        metric: the objective's name.
        maximize: whether it is to be large.
    """
    starts = trials.select("trial", "start_step")
    own = evaluations.join(starts, on="trial").filter(
        pl.col("step") > pl.col("start_step"), pl.col(metric).is_finite()
    )
    value = pl.col(metric).max() if maximize else pl.col(metric).min()
    best = own.group_by("trial").agg(value.cast(pl.Float64).alias(OWN))
    return trials.join(best, on="trial", how="left", maintain_order="left")


def configuration(trials: pl.DataFrame) -> list[str]:
    """The columns that tell one configuration from another."""
    return [
        name
        for name in trials.columns
        if name in ("sample", "combination") or name.startswith("hp.")
    ]


def results(trials: pl.DataFrame, *, maximize: bool = False) -> pl.DataFrame:
    """Every configuration's result in every round, in the order of trials.

    Replicates count by their mean; of several rules of extension the best one counts.
    Trials under way, stopped, or never evaluated have no result.

    Args:
        trials: columns `trial`, `round`, `status`, `best_objective`, `hp.<name>`, and
            where there are such `sample`, `combination`, `extend`, `control`, `parent`
            and `own_objective`.
        maximize: whether the objective is to be large.

    Returns:
        The columns of a configuration, `round`, `trial` (the first), `result` (smaller
        is better; infinite where it broke), `control` and `is_new` (begun in that
        round).
    """
    key = configuration(trials)
    objective = OWN if OWN in trials.columns else "best_objective"
    value = -pl.col(objective) if maximize else pl.col(objective)
    judged = (
        _filled(trials)
        .with_columns(
            result=pl.when(pl.col("status").is_in(BROKEN))
            .then(float("inf"))
            .when(pl.col("status") == "complete")
            .then(value.cast(pl.Float64))
        )
        .filter(pl.col("result").is_not_nan())  # also drops nulls
    )
    by_rule = judged.group_by([*key, "round", "extend"]).agg(
        pl.col("trial").min(),
        pl.col("result").mean(),
        pl.col("control").any(),
        is_new=pl.col("parent").is_null().any(),
    )
    return (
        by_rule.group_by([*key, "round"])
        .agg(
            pl.col("trial").min(),
            pl.col("result").min(),
            pl.col("control").any(),
            pl.col("is_new").any(),
        )
        .sort("trial")
    )


def pairs(results: pl.DataFrame, short: int, long: int) -> pl.DataFrame:
    """The configurations that have a result in both of two rounds.

    Args:
        results: what `results` returns.
        short: the earlier round.
        long: the later one.

    Returns:
        The columns of a configuration, `trial` (in the earlier round), `short` and
        `long` (the two results) and `control`.
    """
    key = configuration(results)
    later = results.filter(round=long).select(*key, "control", long="result")
    return (
        results.filter(round=short)
        .select(*key, "trial", short="result")
        .join(later, on=key, nulls_equal=True, maintain_order="left")
    )


def _filled(trials: pl.DataFrame) -> pl.DataFrame:
    """The trials with the columns that not every frame has."""
    absent = {
        "extend": pl.lit(None, pl.String),
        "control": pl.lit(False),
        "parent": pl.lit(None, pl.Int32),
    }
    more = {n: column for n, column in absent.items() if n not in trials.columns}
    return trials.with_columns(**more).with_columns(pl.col("control").fill_null(False))
