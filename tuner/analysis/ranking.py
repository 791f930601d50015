"""Which trials are better: by best objective, then by loss, then the earlier trial."""

import polars as pl

BROKEN = ("diverged", "failed")


def rank(trials: pl.DataFrame, *, maximize: bool = False) -> pl.DataFrame:
    """The trials that may go on, best first.

    A trial that broke, failed, or was never evaluated is not among them.

    Args:
        trials: columns `trial`, `status`, `best_objective`, and where there is one
            `tie`, the loss at the best step (null where it is not known).
        maximize: whether the objective is to be large.
    """
    complete = trials.filter(pl.col("status") == "complete")
    return best_first(complete, maximize=maximize)


def best_first(trials: pl.DataFrame, *, maximize: bool = False) -> pl.DataFrame:
    """The trials that have a result, best first: those under way are among them.

    Args:
        trials: as in `rank`.
        maximize: as in `rank`.
    """
    sound = trials.filter(
        pl.col("status").is_in(BROKEN).not_(), pl.col("best_objective").is_finite()
    )
    ties = [name for name in ("tie", "trial") if name in trials.columns]
    return sound.sort(
        "best_objective",
        *ties,
        descending=[maximize] + [False] * len(ties),
        nulls_last=True,
    )


def pooled(trials: pl.DataFrame) -> pl.DataFrame:
    """Trials that differ in their seeds alone as one: by their mean.

    A configuration of which one trial broke is as broken, and one of which a trial is
    not complete is as incomplete.

    Args:
        trials: as in `rank`; where there are several seeds also `sample`, `replicate`,
            `combination`, `extend` and the fields of the schedule.

    Returns:
        Of each configuration the row of its first trial, with the means of
        `best_objective` and `tie`, and `members`, the trials it stands for.
    """
    if "replicate" not in trials.columns or trials["replicate"].n_unique() < 2:
        return trials.with_columns(members=pl.concat_list("trial"))
    same = ["round", "combination", "sample", "extend"]
    same += [name for name in trials.columns if name.startswith(("schedule.", "hp."))]
    worst = pl.col("status").filter(pl.col("status") != "complete").first()
    return (
        trials.sort("trial")
        .with_columns(status=worst.over(same).fill_null("complete"))
        .group_by(same, maintain_order=True)
        .agg(
            pl.exclude("best_objective", "tie").first(),
            pl.col("best_objective", "tie").mean(),
            members=pl.col("trial"),
        )
    )


def best_on_average_first(
    trials: pl.DataFrame, *, maximize: bool = False
) -> pl.DataFrame:
    """The trials that have a result, those of the best configuration first.

    Where trials differ in their seeds alone, it is their mean that counts; those of a
    configuration that broke with one of its seeds come last.

    Args:
        trials: as in `pooled`.
        maximize: as in `rank`.
    """
    ordered = best_first(trials, maximize=maximize)
    if "replicate" not in trials.columns or trials["replicate"].n_unique() < 2:
        return ordered
    configurations = best_first(pooled(trials), maximize=maximize)
    places = configurations.select(trial="members").with_row_index("place")
    return (
        ordered.join(places.explode("trial"), on="trial", how="left")
        .sort("place", nulls_last=True, maintain_order=True)
        .drop("place")
    )


def with_ties(
    trials: pl.DataFrame, evaluations: pl.DataFrame, objective: str
) -> pl.DataFrame:
    """The trials with `tie`: the loss of the objective's set at their best step.

    Args:
        trials: columns `trial` and `best_step`.
        evaluations: whole curves, with the columns `trial`, `step` and metrics.
        objective: the metric's name, such as "valid/error".
    """
    loss = objective.rpartition("/")[0] + "/loss"
    if loss not in evaluations.columns:
        return trials.with_columns(tie=pl.lit(None, pl.Float32))
    ties = evaluations.select("trial", best_step="step", tie=loss)
    return trials.join(ties, on=["trial", "best_step"], how="left")


def select(
    ranked: pl.DataFrame, keep: int, *, across: str = "each", combinations: int = 1
) -> list[int]:
    """The trials that are kept, best first.

    Args:
        ranked: what `rank` returns, with the column `combination`.
        keep: how many in all.
        across: "each": the same number of every scientific combination, so that each
            stays in the race; "all": the best of all together.
        combinations: how many scientific combinations there are.
    """
    if across == "each":
        share = keep // combinations
        place = pl.int_range(pl.len()).over("combination")
        ranked = ranked.filter(place < share)
    return ranked.head(keep)["trial"].to_list()
