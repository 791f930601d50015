"""What keeping only the best of a short round costs, judged by longer runs of the rest.

Only trials that were not among the best can tell: control trials, or a round in which
all were trained longer. What is best of the kept is compared with the best of all that
were trained longer, so that the regret is at least that large.
"""

import math
from dataclasses import dataclass

import polars as pl

from tuner.analysis.agreement import CHANCE, LEVEL


@dataclass(frozen=True, kw_only=True)
class Regret:
    """What keeping the best costs, by how many are kept.

    Attributes:
        table: columns `keep` and `regret`, in units of the objective: how much better
            the best of all turned out than the best of those kept; 0 for nothing lost,
            infinite where all that were kept broke. The last row is what was kept.
        others: how many that were not kept were trained longer.
        better: how many of them ended better than every kept one.
        chance: how often as many would, if keeping were by lot.
    """

    table: pl.DataFrame
    others: int
    better: int
    chance: float

    @property
    def is_missing_some(self) -> bool:
        """Whether better ones were left behind, beyond what chance allows."""
        return self.better > 0 and self.chance <= CHANCE

    @property
    def most_missed(self) -> float:
        """At most this share of those left behind is better, at the level of 95 %.

        Where none of n is better, a larger share p would have hidden with the chance
        (1 - p)^n, if they were drawn from all that were left behind.
        """
        if self.better:
            return 1.0
        return 1 - (1 - LEVEL) ** (1 / self.others)


def regret(pairs: pl.DataFrame) -> Regret | None:
    """What keeping the best has cost; None where only the promoted went on.

    Args:
        pairs: what `configurations.pairs` returns. Where none is a control trial, all
            configurations of the earlier round must be among them, and a third of them
            counts as kept.
    """
    ordered = pairs.sort("control", "short", "trial")
    controls = pairs.filter("control").height
    kept = pairs.height - controls if controls else math.ceil(pairs.height / 3)
    others = pairs.height - kept
    if not kept or not others:
        return None
    ended = ordered["long"].to_list()
    rows = [
        {"keep": k, "regret": _distance(min(ended[:k]), min(ended))}
        for k in _powers(kept)
    ]
    better = sum(result < min(ended[:kept]) for result in ended[kept:])
    chance = math.comb(others, better) / math.comb(pairs.height, better)
    return Regret(
        table=pl.DataFrame(rows, {"keep": pl.Int64, "regret": pl.Float64}),
        others=others,
        better=better,
        chance=chance,
    )


def _powers(kept: int) -> list[int]:
    """1, 2, 4 and so on, and how many were kept."""
    return [2**n for n in range(kept.bit_length()) if 2**n < kept] + [kept]


def _distance(of_kept: float, of_all: float) -> float:
    """Infinity minus infinity is no regret: all broke."""
    return 0.0 if of_kept == of_all else of_kept - of_all
