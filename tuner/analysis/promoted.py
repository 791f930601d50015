"""A child is not its parent made longer: the two side by side, nothing inherited."""

import polars as pl


def compare_with_parents(
    trials: pl.DataFrame, *, maximize: bool = False
) -> pl.DataFrame:
    """Every promoted trial beside the trial it came from.

    Args:
        trials: columns `trial`, `parent`, `resume`, `start_step`, `max_train_steps`,
            `best_step`, `best_objective`.
        maximize: whether the objective is to be large.

    Returns:
        One row a promoted trial: `trial`, `parent`, `resume`, `start_step`,
        `max_train_steps`, `parent_steps`, `parent_best`, `child_best`, `difference`
        (child - parent) and `worse`.
    """
    parents = trials.select(
        parent=pl.col("trial"),
        parent_steps=pl.col("max_train_steps"),
        parent_best=pl.col("best_objective"),
    )
    sign = -1 if maximize else 1
    difference = pl.col("best_objective") - pl.col("parent_best")
    return (
        trials.filter(pl.col("parent").is_not_null())
        .join(parents, on="parent", maintain_order="left")
        .select(
            "trial",
            "parent",
            "resume",
            "start_step",
            "max_train_steps",
            "parent_steps",
            "parent_best",
            child_best=pl.col("best_objective"),
            difference=difference,
            worse=(sign * difference) > 0,
        )
    )
