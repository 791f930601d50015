"""How the best region of each hyperparameter moved from short runs to long ones.

The best region is the best third of the configurations, and lies at their mean place on
the domain's own scale: from 0 at its low end to 1 at its high end, by logarithms where
the domain is logarithmic. Of a choice each value has a place, the share of the best
third that has it.

Where ten configurations or more were trained at both horizons they are compared with
themselves. Else those that each round began with are compared, on the range that both
have searched.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tuner.analysis.agreement import CHANCE, FEWEST_PAIRS, LEVEL, RESAMPLES
from tuner.analysis.boundary import place

BEST = 3  # the best third
FEWEST_BEGUN = 20  # of configurations that were not chosen by their results
SWAPS = 4999  # of the test, so that chances of a thousandth are told
ROOM = 2_000_000  # numbers that are handled at once

Means = np.ndarray | np.floating  # one for each sample, or the one there is


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How far the best region of one hyperparameter moved.

    Attributes:
        name: of the hyperparameter.
        value: of a choice, whose share is meant; else None.
        short: where the best third of the short runs lies, from 0 to 1.
        long: where that of the long runs lies.
        low: of the interval of `long - short`.
        high: likewise.
        chance: how often a shift as large comes of exchanging the rounds at random;
            None where the interval holds 0, and nothing is claimed.
        claims: how many shifts were tested beside each other, this one included.
        paired: whether the same configurations were compared.
        from_value: what lies at `short` in the hyperparameter's own unit; None of a
            choice.
        to_value: what lies at `long`.
    """

    name: str
    value: Any
    short: float
    long: float
    low: float
    high: float
    chance: float | None
    claims: int
    paired: bool
    from_value: float | None
    to_value: float | None

    @property
    def shift(self) -> float:
        """How far, as a share of the range."""
        return self.long - self.short

    @property
    def is_told(self) -> bool:
        """Whether it is more than chance allows, in view of all that were tested."""
        return self.chance is not None and self.chance * self.claims <= CHANCE


def shifts(
    results: pl.DataFrame,
    paired: pl.DataFrame,
    short: int,
    long: int,
    space: Mapping[str, Any],
) -> list[Shift]:
    """How the best regions moved between two rounds, by hyperparameter.

    Args:
        results: what `configurations.results` returns.
        paired: what `configurations.pairs` returns for the two rounds.
        short: the earlier round.
        long: the later one.
        space: the domains as data, by flat name.
    """
    begun = [results.filter("is_new", round=number) for number in (short, long)]
    compared = []
    for name, domain in space.items():
        if domain["type"] == "fixed" or f"hp.{name}" not in results.columns:
            continue
        for value, at in _places(name, domain):
            samples = _samples(paired, begun[0], begun[1], at)
            if samples is not None:
                compared.append((name, domain, value, samples))
    return [_shift(*each, claims=len(compared)) for each in compared]


@dataclass(frozen=True)
class _Samples:
    """Places and results at the two horizons; the same places where `paired`."""

    short_places: np.ndarray
    short: np.ndarray
    long_places: np.ndarray
    long: np.ndarray
    paired: bool


def _places(name: str, domain: Mapping[str, Any]) -> Iterator[tuple[Any, pl.Expr]]:
    """The places of a hyperparameter's values: one scale, or one for each choice."""
    if domain["type"] != "choice":
        yield None, place(name, domain)
        return
    values = domain["values"]
    for value in values[1:] if len(values) == 2 else values:
        yield value, _has(name, value, None in values).cast(pl.Float64)


def _has(name: str, value: Any, none_is_one: bool) -> pl.Expr:
    """Whether a choice has a value; null where a trial does not have the choice."""
    chosen = pl.col(f"hp.{name}")
    if value is None:
        return chosen.is_null()
    cell = json.dumps(value) if isinstance(value, list) else value
    return chosen.eq_missing(pl.lit(cell)) if none_is_one else chosen == pl.lit(cell)


def _samples(
    paired: pl.DataFrame, short: pl.DataFrame, long: pl.DataFrame, at: pl.Expr
) -> _Samples | None:
    """What is compared, or None where there is too little or nothing varies."""
    same = _placed(paired, at, "short", "long")
    if len(same) >= FEWEST_PAIRS:
        places, before, after = same.T
        chosen = _Samples(places, before, places, after, paired=True)
    else:
        first, second = (_placed(frame, at, "result") for frame in (short, long))
        if min(len(first), len(second)) < FEWEST_BEGUN:
            return None
        low = max(first[:, 0].min(), second[:, 0].min())
        high = min(first[:, 0].max(), second[:, 0].max())
        first, second = (
            each[(low <= each[:, 0]) & (each[:, 0] <= high)] for each in (first, second)
        )
        if min(len(first), len(second)) < FEWEST_BEGUN:
            return None
        chosen = _Samples(*first.T, *second.T, paired=False)
    varies = len(set(chosen.short_places)) > 1 and len(set(chosen.long_places)) > 1
    return chosen if varies else None


def _placed(frame: pl.DataFrame, at: pl.Expr, *names: str) -> np.ndarray:
    """Places and results, [configurations, 1 + results]; those without a place out."""
    placed = frame.select(at.cast(pl.Float64).alias("place"), *names)
    return placed.filter(pl.col("place").is_finite()).to_numpy()


def _shift(
    name: str, domain: Mapping[str, Any], value: Any, samples: _Samples, claims: int
) -> Shift:
    before = float(_location(samples.short_places, samples.short))
    after = float(_location(samples.long_places, samples.long))
    low, high = _interval(samples)
    is_choice = domain["type"] == "choice"
    return Shift(
        name=name,
        value=value,
        short=before,
        long=after,
        low=low,
        high=high,
        chance=None if low <= 0 <= high else _chance(samples),
        claims=claims,
        paired=samples.paired,
        from_value=None if is_choice else _value(before, domain),
        to_value=None if is_choice else _value(after, domain),
    )


def _location(places: np.ndarray, results: np.ndarray) -> Means:
    """The mean place of the best third, over the last axis."""
    third = max(1, round(results.shape[-1] / BEST))
    best = np.argsort(results, axis=-1, kind="stable")[..., :third]
    places = np.broadcast_to(places, results.shape)
    return np.take_along_axis(places, best, axis=-1).mean(axis=-1)


def _interval(samples: _Samples) -> tuple[float, float]:
    """Of the shift, by drawing configurations anew."""
    rng = np.random.default_rng(0)
    num_short, num_long = len(samples.short), len(samples.long)
    rows = rng.integers(num_short, size=(RESAMPLES, num_short))
    later = rows
    if not samples.paired:
        later = rng.integers(num_long, size=(RESAMPLES, num_long))
    moved = _location(samples.long_places[later], samples.long[later]) - _location(
        samples.short_places[rows], samples.short[rows]
    )
    low, high = np.quantile(moved, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _chance(samples: _Samples) -> float:
    """How often rounds that are exchanged at random differ as much.

    What differs is, where the same configurations are compared, the mean place of all,
    weighted by rank: those that went on lie close together, and all of them tell more
    than the best third does. Else it is the best third's. Ranks are of their own round,
    for longer runs have other results.
    """
    from scipy import stats  # half a second, which reading need not wait for

    before, after = (
        stats.rankdata(each) / (len(each) + 1) for each in (samples.short, samples.long)
    )
    kind, data = "samples", (before, after)
    moved = functools.partial(_moved_paired, samples.short_places)
    if not samples.paired:
        kind = "independent"
        data = np.split(np.arange(len(before) + len(after)), [len(before)])
        moved = functools.partial(
            _moved_between,
            np.concatenate([samples.short_places, samples.long_places]),
            np.concatenate([before, after]),
        )
    test = stats.permutation_test(
        data,
        moved,
        permutation_type=kind,
        vectorized=True,
        n_resamples=SWAPS,
        batch=max(1, ROOM // len(before)),
        rng=np.random.default_rng(0),
    )
    return float(test.pvalue)


def _moved_paired(
    places: np.ndarray, before: np.ndarray, after: np.ndarray, axis: int
) -> Means:
    """Each configuration may have its two ranks exchanged."""
    return _pull(places, after) - _pull(places, before)


def _moved_between(
    places: np.ndarray,
    ranks: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    axis: int,
) -> Means:
    """`before` and `after` say which configurations are whose."""
    return _location(places[after], ranks[after]) - _location(
        places[before], ranks[before]
    )


def _pull(places: np.ndarray, ranks: np.ndarray) -> Means:
    """The mean place over the last axis, the better the heavier."""
    weights = 1 - ranks
    return (weights * places).sum(axis=-1) / weights.sum(axis=-1)


def _value(share: float, domain: Mapping[str, Any]) -> float:
    """What lies at a place, in the hyperparameter's own unit."""
    margin = 0.5 if domain["type"] == "int" else 0.0
    low, high = domain["low"] - margin, domain["high"] + margin
    if domain["log"]:
        return low ** (1 - share) * high**share
    return low + share * (high - low)
