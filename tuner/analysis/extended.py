"""Whether a longer schedule was extended well, from two arrays of rates.

The seam is the first step at which the longer schedule's rate is not the shorter one's:
up to there the two are the same run. What counts of the rest are the steps that were
added (playbook D9, D10).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tuner.analysis.phases import HIGH, RATE

LOW = 0.1  # of the peak
MOST = 0.5  # of the added steps, at a low rate (D10)
SHORTEST_DECAY = 0.1  # of the horizon: a tenth suffices, a fortieth falls short
JUMP = 0.1  # of the peak, in one step
WITHOUT_EFFECT = 10  # horizons: what decays so slowly has kept nine tenths at the end

LINTS = {
    "lint": pl.String,
    "trial": pl.Int64,
    "round": pl.Int64,
    "text": pl.String,
}


@dataclass(frozen=True)
class Lint:
    """Something about a longer schedule that its author should look at.

    Attributes:
        name: "seam", "low rates", "short decay" or "weight decay".
        text: with its numbers.
    """

    name: str
    text: str


def seam(parent: np.ndarray, child: np.ndarray) -> int:
    """How many leading steps of two arrays of rates are the same."""
    length = min(len(parent), len(child))
    differs = parent[:length] != child[:length]
    return int(differs.argmax()) if differs.any() else length


def seam_rates(parent: np.ndarray, child: np.ndarray) -> pl.DataFrame:
    """The rates of a shorter and a longer schedule side by side.

    Returns:
        Columns `step`, `parent` (null beyond its end), `child`, and `is_shared`, true
        up to the seam.
    """
    steps = pl.int_range(1, len(child) + 1, eager=True)
    return pl.DataFrame({"step": steps, "child": child}).select(
        "step",
        pl.Series("parent", parent[: len(child)]).extend_constant(
            None, max(len(child) - len(parent), 0)
        ),
        "child",
        is_shared=pl.col("step") <= seam(parent, child),
    )


def lint_extension(
    parent: np.ndarray,
    child: np.ndarray,
    *,
    start_step: int = 0,
    weight_decays: Sequence[float] = (),
) -> Iterator[Lint]:
    """What is doubtful about a longer schedule.

    Args:
        parent: rates of the shorter schedule, one a step.
        child: rates of the longer one.
        start_step: the step that the longer run went on from; 0 where it began anew.
        weight_decays: the parent's, then the child's, where there are such.

    References:
        Shengding Hu et al., MiniCPM: Unveiling the Potential of Small Language Models
        with Scalable Training Strategies, 2024, https://arxiv.org/abs/2404.06395 (a
        decay over a tenth of the run suffices)
        Xi Wang, Laurence Aitchison, How to set AdamW's weight decay as you scale model
        and dataset size, 2024, https://arxiv.org/abs/2405.13698 (the timescale)
    """
    peak = float(child.max(initial=0.0))
    if not len(parent) < len(child) or not peak:
        return
    yield from _continuity(parent, child, peak, start_step)
    yield from _low_rates(parent, child, peak)
    yield from _short_decay(child, peak)
    yield from _timescale(len(parent), len(child), peak, weight_decays)


def lint_promoted(trials: pl.DataFrame, updates: pl.DataFrame) -> pl.DataFrame:
    """What is doubtful about the schedules of promoted trials.

    Args:
        trials: columns `trial`, `parent`, `start_step`, `round`, `status`, and where
            there are such `resumed_from`, the trial whose state it began from if not
            its parent's, and `hp.weight_decay`, also under a choice.
        updates: whole curves: `trial`, `step`, `learning_rate`.

    Returns:
        A row for each lint of each promoted trial that is complete: `lint`, `trial`,
        `round`, `text`.
    """
    found = []
    promoted = trials.filter(pl.col("parent").is_not_null(), status="complete")
    of_both = pl.concat([promoted["trial"], promoted["parent"]]).unique()
    kept = updates.filter(pl.col("trial").is_in(of_both.implode())).sort("step")
    rates = {trial: rows[RATE].to_numpy() for (trial,), rows in kept.group_by("trial")}
    decays = dict(trials.select("trial", weight_decay(trials)).iter_rows())
    for row in promoted.iter_rows(named=True):
        trial, parent = row["trial"], row["parent"]
        both = decays[parent], decays[trial]
        is_from_parent = row.get("resumed_from", parent) == parent
        lints = lint_extension(
            rates.get(parent, np.zeros(0)),
            rates.get(trial, np.zeros(0)),
            start_step=row["start_step"] if is_from_parent else 0,
            weight_decays=() if None in both else both,
        )
        found += [(each.name, trial, row["round"], each.text) for each in lints]
    return pl.DataFrame(found, schema=LINTS, orient="row")


def weight_decay(trials: pl.DataFrame) -> pl.Expr:
    """The weight decay of each trial, whatever choice it is under; null for none."""
    names = [n for n in trials.columns if n.startswith("hp.")]
    names = [name for name in names if name.split(".")[-1] == "weight_decay"]
    return pl.coalesce(*names, None).cast(pl.Float64).alias("weight_decay")


def _continuity(
    parent: np.ndarray, child: np.ndarray, peak: float, start_step: int
) -> Iterator[Lint]:
    at = seam(parent, child)
    if start_step > at:
        yield Lint(
            "seam",
            f"it goes on from step {start_step:,}, but its rates are its parent's up "
            f"to step {at:,} only",
        )
    if not at:
        return
    jump = abs(float(child[at]) - float(child[at - 1]))
    usual = np.abs(np.diff(parent[parent.argmax() :])).max(initial=0.0)
    if jump > max(JUMP * peak, float(usual)):
        yield Lint(
            "seam",
            f"its rate jumps from {child[at - 1]:.3g} to {child[at]:.3g} after step "
            f"{at:,}, where it leaves its parent's",
        )


def _low_rates(parent: np.ndarray, child: np.ndarray, peak: float) -> Iterator[Lint]:
    before = int((parent < LOW * parent.max()).sum())
    after = int((child < LOW * peak).sum())
    share = (after - before) / (len(child) - len(parent))
    if share > MOST:
        yield Lint(
            "low rates",
            f"{share:.0%} of the {len(child) - len(parent):,} added steps have a rate "
            "below a tenth of the peak",
        )


def _short_decay(child: np.ndarray, peak: float) -> Iterator[Lint]:
    last_at_peak = int(np.flatnonzero(child == child.max())[-1])
    steps = len(child) - last_at_peak  # the decay's first step is still at the peak
    if child[-1] < HIGH * peak and steps < SHORTEST_DECAY * len(child):
        yield Lint(
            "short decay",
            f"its decay takes {steps:,} of {len(child):,} steps, "
            f"{steps / len(child):.1%}",
        )


def _timescale(
    before: int, after: int, peak: float, weight_decays: Sequence[float]
) -> Iterator[Lint]:
    """AdamW forgets in 1 / (rate x decay) steps.

    In horizons that is B / (rate x decay x D), for batches of B of D examples in all.
    """
    if not weight_decays or weight_decays[0] != weight_decays[1]:
        return
    forgets_in = 1 / (peak * weight_decays[1]) if weight_decays[1] else np.inf
    if forgets_in < WITHOUT_EFFECT * after:
        yield Lint(
            "weight decay",
            f"AdamW's timescale falls from {forgets_in / before:.2g} to "
            f"{forgets_in / after:.2g} horizons, since the weight decay of "
            f"{weight_decays[1]:.2g} stayed",
        )
