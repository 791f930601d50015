"""The three kinds of evidence on whether longer training helps, in words."""

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from tuner.analysis.gains import (
    BOUND,
    FEWEST,
    MATERIAL,
    UNDECIDED,
    interval,
    judge,
)


@dataclass(frozen=True)
class Evidence:
    """One kind of evidence.

    Attributes:
        kind: "two horizons", "slope" or "epochs".
        says: "compute-bound", "not compute-bound" or "cannot tell".
        text: with its numbers.
    """

    kind: str
    says: str
    text: str


def from_horizons(pairs: pl.DataFrame, objective: str) -> Evidence:
    """The same configurations at two horizons, from their `horizon_gains`."""
    kind = "two horizons"
    if pairs.height < FEWEST:
        have = pairs.height or "none"
        text = (
            f"At least {FEWEST} configurations would have to be complete at two "
            f"horizons, each with its own decay and 20 evaluations; there are {have}."
        )
        return Evidence(kind, UNDECIDED, text)
    short, long = pairs.select("short", "long").row(0)
    text = f"{pairs.height} configurations at {short:,} and at {long:,} steps: "
    return Evidence(kind, judge(pairs), text + _numbers(pairs, objective))


def from_slopes(
    better: pl.DataFrame, objective: str, on_edge: Collection[str]
) -> Evidence:
    """The slope where the rate is high, from the better trials' `slope_gains`."""
    kind = "slope"
    if on_edge:
        names = " and ".join(on_edge)
        text = (
            f"The best values of {names} lie on the edge of the range, and too small a "
            "rate is still improving at any horizon."
        )
        return Evidence(kind, UNDECIDED, text)
    if better.height < FEWEST:
        text = (
            f"Fewer than {2 * FEWEST} complete trials have 20 evaluations and a rate "
            "of at least half its peak until their last quarter."
        )
        return Evidence(kind, UNDECIDED, text)
    text = (
        f"The better {better.height} trials of {better['long'][0]:,} steps, late, "
        "while the rate was at least half its peak: "
    )
    return Evidence(kind, judge(better), text + _numbers(better, objective))


def from_epochs(epochs: pl.DataFrame, training_examples: int | None) -> Evidence:
    """How often the data were seen: columns `long` and `epochs`."""
    kind = "epochs"
    longest = epochs.filter(pl.col("long") == pl.col("long").max())
    seen = longest["epochs"].max()
    if not isinstance(seen, float):
        return Evidence(kind, UNDECIDED, "How often the data were seen is not known.")
    steps = longest["long"][0]
    text = f"{steps:,} steps see {seen:.3g} epochs of {training_examples:,} examples"
    if seen < 1:
        return Evidence(kind, BOUND, f"{text}: compute-bound by construction.")
    return Evidence(kind, UNDECIDED, f"{text}, which decides nothing.")


def _numbers(gains: pl.DataFrame, objective: str) -> str:
    """The mean gain with its interval, beside the pace."""
    gain, pace, train = gains.select(pl.col("gain", "pace", "train_gain").mean()).row(0)
    low, high = interval(gains["gain"].to_numpy())
    said = (
        f"per doubling of the steps {objective} gained {gain:.2g} ({low:.2g} to "
        f"{high:.2g}), where a tenth of the pace before is {MATERIAL * pace:.2g}"
    )
    if train is not None:
        said += f"; the training loss gained {train:.2g}"
    return f"{said}."
