"""Curves with fewer rows that look the same: no spike and no best is lost."""

import polars as pl


def thin(curves: pl.DataFrame, metric: str, max_rows: int) -> pl.DataFrame:
    """Of every curve the first row, the last, and the extremes of each stretch.

    A curve of more than `max_rows` rows is cut into stretches of equal length, of which
    the rows with the lowest and the highest value stay. What is not a number is no
    extreme.

    Args:
        curves: columns `trial`, `step` and the metric, sorted by both.
        metric: whose extremes stay.
        max_rows: of a curve, at least 4.
    """
    stretches = (max_rows - 2) // 2
    row, rows = pl.int_range(pl.len()).over("trial"), pl.len().over("trial")
    numbered = curves.with_columns(
        row=row,
        rows=rows,
        stretch=row * stretches // rows,
        value=pl.col(metric).fill_nan(None),
    )
    inside = pl.int_range(pl.len()).over("trial", "stretch")
    lowest = pl.col("value").arg_min().over("trial", "stretch")
    highest = pl.col("value").arg_max().over("trial", "stretch")
    kept = (
        (pl.col("rows") <= max_rows)
        | (pl.col("row") == 0)
        | (pl.col("row") == pl.col("rows") - 1)
        | (inside == lowest).fill_null(False)
        | (inside == highest).fill_null(False)
    )
    return numbered.filter(kept).select(curves.columns)
