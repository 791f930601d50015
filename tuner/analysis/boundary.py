"""Edges: ranges that the best trials press against, so that they hide better ones.

The best point of all is near some edge in most searches, by chance. That four of the
best five crowd into the outer fifth of a range at one and the same end happens by
chance in 0.7 % of cases for each end, in 7 % of searches over five ranges.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from tuner.analysis.ranking import BROKEN, best_first

OUTER = 0.2  # of the range, on its own scale
BEST = 5
CROWD = 4  # of the best
FEWEST = 2 * BEST  # results without which being among the best says little
RATES = ("learning_rate", "lr")


@dataclass(frozen=True)
class Edge:
    """The end ("low" or "high") of a range at which `near` of the best trials lie.

    Attributes:
        name: of the hyperparameter.
        end: which end it is.
        limit: the value there.
        near: how many of the best five lie in the outer fifth.
    """

    name: str
    end: str
    limit: float
    near: int


def edges(
    trials: pl.DataFrame, space: Mapping[str, Any], *, maximize: bool = False
) -> Iterator[Edge]:
    """The ends of searched ranges that hide better trials (playbook C1).

    A natural limit (`hard`) is no such edge, nor is one beyond which trials break.
    Each configuration counts once, by the trial that began with it.

    Args:
        trials: columns `trial`, `parent`, `status`, `best_objective`, `tie` and
            `hp.<name>`.
        space: the domains as data, by flat name.
        maximize: whether the objective is to be large.
    """
    begun = trials.filter(pl.col("parent").is_null())
    for name, domain in space.items():
        if domain["type"] not in ("float", "int") or f"hp.{name}" not in begun.columns:
            continue
        placed = begun.with_columns(place=place(name, domain))
        inside = placed.filter(pl.col("place").is_between(0, 1))
        insets = {"low": pl.col("place"), "high": 1 - pl.col("place")}
        for end, inset in insets.items():
            near = _crowd(inside.with_columns(inset=inset), maximize)
            if near and domain["hard"] not in (end, "both"):
                yield Edge(name, end, domain[end], near)


def place(name: str, domain: Mapping[str, Any]) -> pl.Expr:
    """Where a value of a range lies on its scale, from 0 at `low` to 1 at `high`.

    A whole number owns the stretch around it, so that none lies at the very ends.
    """
    margin = 0.5 if domain["type"] == "int" else 0.0
    low, high = domain["low"] - margin, domain["high"] + margin
    value = pl.col(f"hp.{name}")
    if domain["log"]:
        return (value / low).log() / math.log(high / low)
    return (value - low) / (high - low)


def _crowd(trials: pl.DataFrame, maximize: bool) -> int:
    """How many of the best trials crowd at an end that hides better ones, or 0."""
    ranked = best_first(trials, maximize=maximize)
    near = ranked.head(BEST).filter(pl.col("inset") <= OUTER)
    if ranked.height < FEWEST or near.height < CROWD:
        return 0
    outermost = near.select(pl.col("inset").min()).item()
    beyond = trials.filter(pl.col("inset") < outermost)
    broken = beyond.filter(pl.col("status").is_in(BROKEN))
    is_cliff = broken.height > 0 and 2 * broken.height >= beyond.height
    return 0 if is_cliff else near.height


def edges_of_rates(
    trials: pl.DataFrame, space: Mapping[str, Any], *, maximize: bool = False
) -> list[str]:
    """The learning rates whose best values lie on the edge of their range.

    A learning rate is a hyperparameter that is called `learning_rate` or `lr`, on its
    own or under a choice.

    Args:
        trials: as in `edges`.
        space: likewise.
        maximize: likewise.
    """
    found = edges(trials, space, maximize=maximize)
    return [edge.name for edge in found if edge.name.split(".")[-1] in RATES]
