"""Trials of any source as the frames that this package reads.

What a log does not say is filled in: that every trial is complete, began at step 0, and
belongs to the round of its horizon. Results come from the log, or from its curves.
"""

import json
from collections.abc import Sequence

import polars as pl

from tuner.analysis.curves import best_steps

NEEDED = ("trial", "max_train_steps")
FILLED = {
    "status": pl.lit("complete"),
    "parent": pl.lit(None, pl.Int32),
    "start_step": pl.lit(0, pl.Int32),
    "resume": pl.lit("fresh"),
    "extend": pl.lit(None, pl.String),
    "control": pl.lit(False),
    "seed": pl.lit(None, pl.Int32),
    "tie": pl.lit(None, pl.Float64),
}


def as_trials(
    frame: pl.DataFrame,
    curves: pl.DataFrame | None = None,
    metric: str | None = None,
    *,
    maximize: bool = False,
    scientific: Sequence[str] = (),
) -> pl.DataFrame:
    """A frame of trials from elsewhere, with the columns that it lacks.

    Args:
        frame: one row a trial, with the columns `trial` (a number of its own),
            `max_train_steps`, and `hp.<name>` for each hyperparameter.
        curves: columns `trial`, `step` and the metric; needed unless the frame has
            `best_objective`.
        metric: the objective's name in `curves`.
        maximize: whether the objective is to be large.
        scientific: the hyperparameters whose effect is the question, by flat names.

    Returns:
        The frame with `round` (the place of the horizon among all, from 1), `sample`
        (the same number for the same hyperparameters), `replicate`, `combination`,
        `best_step`, `best_objective`, `status`, `parent`, `start_step`, `resume`,
        `extend`, `control`, `seed` and `tie`, each as it was where it had one.

    Raises:
        ValueError: where a column is missing, or a trial is there twice.
    """
    _check(frame, curves, metric, scientific)
    if "best_objective" not in frame.columns:
        assert curves is not None, "checked above"
        best = best_steps(curves, metric or "", maximize=maximize)
        best = best.with_columns(pl.col("best_objective").cast(pl.Float64))
        known = [c for c in ("best_step",) if c in frame.columns]
        frame = frame.drop(known).join(
            best, on="trial", how="left", maintain_order="left"
        )
    frame = _with(frame, best_step=pl.col("max_train_steps"), **FILLED)
    names = [name for name in frame.columns if name.startswith("hp.")]
    frame = _with(
        frame,
        round=pl.col("max_train_steps").rank("dense").cast(pl.Int32),
        sample=pl.struct(names).rank("dense").cast(pl.Int32) - 1
        if names
        else pl.lit(0, pl.Int32),
        combination=_combination(scientific),
    )
    run = pl.int_range(pl.len(), dtype=pl.Int32)
    return _with(frame, replicate=run.over("sample", "round", "extend"))


def _check(
    frame: pl.DataFrame,
    curves: pl.DataFrame | None,
    metric: str | None,
    scientific: Sequence[str],
) -> None:
    needed = [*NEEDED, *[f"hp.{name}" for name in scientific]]
    _check_columns("a frame of trials", frame, needed)
    if frame["trial"].is_duplicated().any():
        twice = frame.filter(pl.col("trial").is_duplicated())["trial"].first()
        raise ValueError(
            f"a trial has one row, but trial {twice} has several: number runs of one "
            "configuration apart, and say which is which in a column `seed`"
        )
    if "best_objective" in frame.columns:
        return
    if curves is None or metric is None:
        raise ValueError(
            "results must come from somewhere, but the frame has no `best_objective` "
            f"and got (curves={'given' if curves is not None else None}, "
            f"metric={metric!r}): pass as_trials(frame, curves, metric)"
        )
    _check_columns("a frame of curves", curves, ["trial", "step", metric])


def _check_columns(what: str, frame: pl.DataFrame, needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise ValueError(
            f"{what} must have the columns {', '.join(needed)}, but got "
            f"({', '.join(frame.columns)}): {', '.join(missing)} missing; rename with "
            "frame.rename({...})"
        )


def _with(frame: pl.DataFrame, **columns: pl.Expr) -> pl.DataFrame:
    """The frame with those columns that it has not yet."""
    return frame.with_columns(
        **{name: c for name, c in columns.items() if name not in frame.columns}
    )


def _combination(scientific: Sequence[str]) -> pl.Expr:
    """The scientific values as JSON, as a run's trials have them."""
    if not scientific:
        return pl.lit("{}")
    return pl.struct(*[pl.col(f"hp.{n}").alias(n) for n in scientific]).map_elements(
        lambda values: json.dumps(values, sort_keys=True), return_dtype=pl.String
    )
