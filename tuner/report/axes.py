"""The stretch of values that a figure shows, so that what matters fills it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FAR = 3  # times the distance of the better three quarters from the best
WIDE = 20  # a span of more, largest to smallest, is shown by logarithms
ROOM = 0.07  # of the axis, left at both ends


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, by logarithms or evenly."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                "`low < high` must hold, and `0 < low` by logarithms, but got "
                f"(low={self.low}, high={self.high}, log={self.log})"
            )

    def at(self, share: float) -> float:
        """The value at a share of the way from `low` to `high`."""
        if self.log:
            return self.low ** (1 - share) * self.high**share
        return self.low * (1 - share) + self.high * share

    def share(self, value: float) -> float:
        """The share of the way at which a value lies."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def widened(self) -> "Axis":
        """The axis with some room at both ends."""
        return Axis(self.at(-ROOM), self.at(1 + ROOM), self.log)


def axis_of(values: np.ndarray, *, maximize: bool = False) -> Axis:
    """An axis on which the better values can be told apart.

    Numbers above zero that span orders of magnitude get a logarithmic one. On an even
    one the worst may lie beyond its end: it reaches three times as far from the best as
    three quarters of the values do.
    """
    finite = values[np.isfinite(values)].astype(float)
    if not len(finite):
        return Axis(0.0, 1.0)
    low, median, high = np.quantile(finite, [0, 0.5, 1]).tolist()
    if low > 1e-3 * median > 0 and high > WIDE * low:
        return Axis(low, high, log=True).widened()
    best, worst = (high, low) if maximize else (low, high)
    usual = float(np.quantile(finite, 0.25 if maximize else 0.75))
    far = best + FAR * (usual - best)
    if 0 < abs(far - best) < abs(worst - best):
        worst = far
    if best == worst:
        margin = abs(best) / 10 or 1.0
        return Axis(best - margin, best + margin)
    return Axis(min(best, worst), max(best, worst)).widened()


def spread(shares: Sequence[float], gap: float) -> list[float]:
    """Places for labels: near to where they belong, a gap between any two.

    Args:
        shares: where they belong, from 0 to 1; the places stay there if they can.
        gap: between neighbours, in the same unit.
    """
    clusters: list[list[float]] = []
    for share in sorted(shares):
        clusters.append([share])
        while len(clusters) > 1 and _places(clusters[-1], gap)[0] < (
            _places(clusters[-2], gap)[-1] + gap
        ):
            clusters[-2:] = [clusters[-2] + clusters[-1]]
    placed = [place for cluster in clusters for place in _places(cluster, gap)]
    order = sorted(range(len(shares)), key=shares.__getitem__)
    return [place for _, place in sorted(zip(order, placed, strict=True))]


def _places(cluster: Sequence[float], gap: float) -> list[float]:
    """Neighbours a gap apart, around the middle of where they belong."""
    reach = gap * (len(cluster) - 1) / 2
    middle = sum(cluster) / len(cluster)
    middle = max(min(middle, 1 - reach), reach)
    return [middle - reach + gap * i for i in range(len(cluster))]
