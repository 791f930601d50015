"""What transferred from short runs to long ones (playbook D7 and D8).

Between two rounds three things are measured: whether the order of configurations was
kept, what keeping only the best has cost, and how the best region of each
hyperparameter moved. Each says "cannot tell" where chance would do as well.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from tuner.analysis import configurations
from tuner.analysis.agreement import Agreement, rank_agreement
from tuner.analysis.regret import Regret, regret
from tuner.analysis.shifts import Shift, shifts

ALL, CONTROLLED, PROMOTED = "all", "controlled", "promoted"
WIDE = 20  # a span of more, largest to smallest, is taken for a logarithmic scale


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What two rounds say about each other.

    Attributes:
        short: the earlier round.
        long: the later one.
        short_steps: its horizon.
        long_steps: likewise.
        num_pairs: configurations with a result in both.
        among: which they are: "all" that the earlier round had, "controlled" where
            control trials stand for those left behind, only the "promoted".
        agreement: of the order; None below ten pairs.
        regret: of keeping the best; None where only the promoted went on.
        shifts: of the best regions; none where too few were trained.
        share: of the length of production runs that the later round has; None where
            that length is not known.
    """

    short: int
    long: int
    short_steps: int
    long_steps: int
    num_pairs: int
    among: str
    agreement: Agreement | None
    regret: Regret | None
    shifts: tuple[Shift, ...]
    share: float | None

    @property
    def is_firm(self) -> bool:
        """Whether anything is claimed."""
        order = self.agreement is not None and self.agreement.verdict != "cannot tell"
        missed = self.regret is not None and self.regret.is_missing_some
        return order or missed or any(shift.is_told for shift in self.shifts)


def transfers(
    trials: pl.DataFrame,
    space: Mapping[str, Any] | None = None,
    *,
    maximize: bool = False,
    production_steps: int | None = None,
) -> list[Transfer]:
    """What transferred between any two rounds, those next to each other first.

    Args:
        trials: columns `trial`, `round`, `status`, `max_train_steps`,
            `best_objective` and `hp.<name>`; where there are such also `sample`,
            `combination`, `extend`, `control`, `parent`, `own_objective`.
        space: the domains as data, by flat name; None reads them off the trials.
        maximize: whether the objective is to be large.
        production_steps: the length of the runs that it is all for.
    """
    known = configurations.results(trials, maximize=maximize)
    horizons = dict(
        trials.group_by("round")
        .agg(pl.col("max_train_steps").max())
        .sort("round")
        .iter_rows()
    )
    between = sorted(
        itertools.combinations(horizons, 2), key=lambda two: (two[1] - two[0], two)
    )
    space = as_space(trials) if space is None else space
    return [
        _transfer(known, short, long, horizons, space, production_steps)
        for short, long in between
        if horizons[short] < horizons[long]
    ]


def as_space(trials: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Domains as data, as wide as the trials: for frames that come without.

    A number is on a logarithmic scale where all values are above zero and the largest
    is more than twenty times the smallest.
    """
    columns = [name for name in trials.columns if name.startswith("hp.")]
    return {name.removeprefix("hp."): _domain(trials[name]) for name in columns}


def _transfer(
    known: pl.DataFrame,
    short: int,
    long: int,
    horizons: Mapping[int, int],
    space: Mapping[str, Any],
    production_steps: int | None,
) -> Transfer:
    paired = configurations.pairs(known, short, long)
    among = _among(known, paired, short)
    return Transfer(
        short=short,
        long=long,
        short_steps=horizons[short],
        long_steps=horizons[long],
        num_pairs=paired.height,
        among=among,
        agreement=rank_agreement(*paired.select("short", "long").to_numpy().T),
        regret=None if among == PROMOTED else regret(paired),
        shifts=tuple(shifts(known, paired, short, long, space)),
        share=horizons[long] / production_steps if production_steps else None,
    )


def _among(known: pl.DataFrame, paired: pl.DataFrame, short: int) -> str:
    """Which configurations went on."""
    if paired.height == known.filter(round=short).height:
        return ALL
    return CONTROLLED if paired["control"].any() else PROMOTED


def _domain(values: pl.Series) -> dict[str, Any]:
    known = values.drop_nulls().unique(maintain_order=True)
    rest = {"role": "nuisance", "kind": None, "off": None, "hard": None}
    if len(known) < 2:
        return rest | {"type": "fixed", "value": known.first()}
    if not values.dtype.is_numeric():
        return rest | {"type": "choice", "values": known.to_list()}
    low, *_, high = known.sort().to_list()
    wide = low > 0 and high > WIDE * low
    kind = "int" if values.dtype.is_integer() else "float"
    return rest | {"type": kind, "low": low, "high": high, "log": wide}
