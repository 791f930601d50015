"""Curves: the metrics of trials by step, their ancestors' shared prefix before them."""

import polars as pl


def with_lineage(rows: pl.DataFrame, trials: pl.DataFrame) -> pl.DataFrame:
    """Whole curves: the prefixes a trial shares with its relatives, then its own rows.

    Rows are stored once, under the trial that executed them. A trial that resumed at
    step s from another's state has that one's curve up to s.

    Args:
        rows: columns `trial`, `step` and metrics.
        trials: columns `trial`, `start_step` and `resumed_from` (null for none); the
            parent is what it resumed from where there is no such column.
    """
    source = "resumed_from" if "resumed_from" in trials.columns else "parent"
    parts = [rows]
    links = trials.select(
        pl.col("trial"), relative=pl.col(source), until=pl.col("start_step")
    ).filter(pl.col("relative").is_not_null(), pl.col("until") > 0)
    above = trials.select(
        relative=pl.col("trial"), before=pl.col(source), start=pl.col("start_step")
    )
    while links.height:
        shared = rows.rename({"trial": "relative"}).join(links, on="relative")
        shared = shared.filter(pl.col("step") <= pl.col("until"))
        parts.append(shared.select(rows.columns))
        links = (
            links.join(above, on="relative")
            .filter(pl.col("before").is_not_null(), pl.col("start") > 0)
            .select(
                "trial",
                relative=pl.col("before"),
                until=pl.min_horizontal("until", "start"),
            )
        )
    return pl.concat(parts).sort("trial", "step")


def best_steps(
    curves: pl.DataFrame, metric: str, *, maximize: bool = False
) -> pl.DataFrame:
    """The best step of every curve: of equals the earliest.

    Args:
        curves: columns `trial`, `step` and the metric; whole curves.
        metric: its name.
        maximize: whether it is to be large.

    Returns:
        Columns `trial`, `best_step`, `best_objective`; no row for a trial whose metric
        was never a number.
    """
    finite = curves.filter(pl.col(metric).is_finite())
    ordered = finite.sort("trial", metric, "step", descending=[False, maximize, False])
    return ordered.group_by("trial", maintain_order=True).agg(
        best_step=pl.col("step").first(), best_objective=pl.col(metric).first()
    )


def best_so_far(
    curves: pl.DataFrame, metric: str, *, maximize: bool = False
) -> pl.DataFrame:
    """The curves with the column `best_so_far`, which never gets worse."""
    values = pl.col(metric).fill_nan(None)
    best = values.cum_max() if maximize else values.cum_min()
    return curves.sort("trial", "step").with_columns(
        best_so_far=best.forward_fill().over("trial")
    )


def own_curves(curves: pl.DataFrame, trials: pl.DataFrame) -> pl.DataFrame:
    """Of whole curves what each trial did itself, from the step it resumed at on.

    A branch so begins where it leaves its parent's curve.

    Args:
        curves: what `with_lineage` returns.
        trials: columns `trial` and `start_step`.
    """
    starts = trials.select("trial", start="start_step")
    own = curves.join(starts, on="trial", maintain_order="left")
    return own.filter(pl.col("step") >= pl.col("start")).select(curves.columns)


def mean_by_stretch(curves: pl.DataFrame, metric: str, steps: int) -> pl.DataFrame:
    """A metric's mean over every stretch of so many steps, at the end of the stretch.

    Args:
        curves: columns `trial`, `step` and the metric.
        metric: its name.
        steps: the length of a stretch; the last one may be shorter.

    Returns:
        Columns `trial`, `step` and the metric.
    """
    end = (pl.col("step") + steps - 1) // steps
    means = curves.group_by("trial", end.alias("stretch"), maintain_order=True).agg(
        pl.col("step").max(), pl.col(metric).mean()
    )
    return means.select("trial", "step", metric)


def roots(trials: pl.DataFrame) -> pl.DataFrame:
    """The trial that every trial's line of promotions began with: `trial`, `root`.

    Args:
        trials: columns `trial` and `parent` (null for none).
    """
    found: dict[int, int] = {}
    for trial, parent in trials.select("trial", "parent").sort("trial").iter_rows():
        found[trial] = trial if parent is None else found[parent]
    schema = {"trial": pl.Int32, "root": pl.Int32}
    return pl.DataFrame(list(found.items()), schema=schema, orient="row")
