"""Whether two rounds put the same configurations in the same order.

Kendall's tau and Spearman's rho, each with a bootstrap interval over configurations.
Below ten of them nothing is said: two orders of eight that have nothing to do with each
other have a tau beyond 0.5 in one case of fifteen.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

FEWEST_PAIRS = 10
LEVEL = 0.95  # of intervals
RESAMPLES = 2000
CHANCE = 0.01  # more often than that by chance, and a claim is not made


@dataclass(frozen=True)
class Correlation:
    """A rank correlation and its interval: 1 is the same order, -1 the reverse."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """How far two rounds agree on the order of configurations.

    Attributes:
        kendall: Kendall's tau-b.
        spearman: Spearman's rho.
        chance: how often orders that have nothing to do with each other agree or
            disagree as much.
    """

    kendall: Correlation
    spearman: Correlation
    chance: float

    @property
    def verdict(self) -> str:
        """Whether the order was "kept" or "reversed"; else "cannot tell"."""
        if self.chance > CHANCE or self.kendall.low <= 0 <= self.kendall.high:
            return "cannot tell"
        return "kept" if self.kendall.value > 0 else "reversed"


def rank_agreement(short: np.ndarray, long: np.ndarray) -> Agreement | None:
    """How far two rounds agree, or None where that cannot be known.

    Args:
        short: results in the earlier round, a number each configuration; infinite where
            it broke.
        long: results of the same in the later one.

    Returns:
        None below ten configurations, and where a round has the same result for all.
    """
    from scipy import stats  # half a second, which reading need not wait for

    if len(short) < FEWEST_PAIRS or min(len(set(short)), len(set(long))) < 2:
        return None
    x, y = stats.rankdata(short), stats.rankdata(long)
    test: Any = stats.kendalltau(x, y)
    rng = np.random.default_rng(0)
    times = rng.multinomial(len(x), np.full(len(x), 1 / len(x)), size=RESAMPLES)
    once = np.ones((1, len(x)))
    return Agreement(
        *[
            Correlation(float(of(x, y, once).item()), *_interval(of(x, y, times)))
            for of in (kendall, spearman)
        ],
        chance=float(test.pvalue),
    )


def kendall(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Kendall's tau-b of samples in which each pair (x, y) occurs so many times.

    Args:
        x: ranks, [pairs].
        y: ranks, [pairs].
        times: how often each pair occurs, [samples, pairs].

    Returns:
        One for each sample; 0 where one side is constant.
    """
    times = times.astype(float)
    in_x, in_y = (np.sign(ranks[:, None] - ranks) for ranks in (x, y))
    same, apart_in_x, apart_in_y = (
        np.sum(times @ signs * times, axis=1)
        for signs in (in_x * in_y, np.abs(in_x), np.abs(in_y))
    )
    return _ratio(same, np.sqrt(apart_in_x * apart_in_y))


def spearman(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Spearman's rho of samples in which each pair (x, y) occurs so many times.

    The arguments and what is returned are those of `kendall`. Ranks are of the sample,
    the mean of what ties share.
    """
    times = times.astype(float)
    total = times.sum(axis=1, keepdims=True)
    centred = [
        times @ ((ranks[:, None] < ranks) + (ranks[:, None] == ranks) / 2) - total / 2
        for ranks in (x, y)
    ]
    along_x, along_y = centred
    product, in_x, in_y = (
        np.sum(times * a * b, axis=1)
        for a, b in ((along_x, along_y), (along_x, along_x), (along_y, along_y))
    )
    return _ratio(product, np.sqrt(in_x * in_y))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _interval(samples: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
