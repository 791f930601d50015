"""Phases of training, read off the learning rates that were used."""

import polars as pl

RATE = "learning_rate"
HIGH = 0.5  # of the peak


def decay_begins(curves: pl.DataFrame) -> pl.DataFrame:
    """The last step of every trial at its peak rate, after which the rate only falls.

    Read from the record, so that it holds for any schedule.

    Args:
        curves: whole curves, with the columns `trial`, `step`, `learning_rate`.

    Returns:
        Columns `trial`, `decay_step`: null where the last step recorded is at the peak.
    """
    peak, last = pl.col(RATE).max(), pl.col("step").max()
    at_peak = pl.col("step").filter(pl.col(RATE) == peak).max()
    return curves.group_by("trial", maintain_order=True).agg(
        decay_step=pl.when(at_peak < last).then(at_peak)
    )


def annealing(curves: pl.DataFrame) -> pl.DataFrame:
    """Until when every trial's rate was high, and whether it then decayed.

    High is at least half of the peak: below that a curve flattens by itself.

    Args:
        curves: as in `decay_begins`.

    Returns:
        Columns `trial`, `peak`, `high_step` (the last step at a high rate) and
        `annealed` (whether the last step is at a lower one).
    """
    peak, last = pl.col(RATE).max(), pl.col("step").max()
    high = pl.col("step").filter(pl.col(RATE) >= HIGH * peak).max()
    return curves.group_by("trial", maintain_order=True).agg(
        peak=peak, high_step=high, annealed=high < last
    )
