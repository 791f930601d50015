"""Where in their runs trials were best, and what that says of the horizon.

Given the best of all evaluations, a run is too long only when its best comes early,
and perhaps too short when it comes last (playbook D4). When in doubt, longer is better
(D5).
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import polars as pl

from tuner.analysis.phases import annealing
from tuner.analysis.ranking import rank

EARLY, ALWAYS = 0.10, 0.90  # the first tenth of the run, for this share of the trials
LATE, CONSISTENTLY = 0.75, 0.75  # the last quarter, of the better half
FEWEST_EVALUATIONS = 20  # of a run
FEWEST_TRIALS = 10  # of a horizon: four of five fall into a quarter in 1.6 % by chance

TOO_LONG, TOO_SHORT, NOT_TOO_LONG = "too long", "too short", "not too long"
UNDECIDED = "cannot tell"


@dataclass(frozen=True)
class HorizonAdvice:
    """What the best steps of the trials of one horizon say of it.

    Attributes:
        horizon: `max_train_steps` of all of them.
        says: "too long", "too short", "not too long" (a note: a rate that decays puts
            the best step last by itself), or "cannot tell".
        num_trials: that ran to the horizon.
        early: of them, best in the first tenth.
        num_better: trials of the better half.
        late: of those, best in the last quarter.
        latest: the step by which 90 % of all were best.
        why: why nothing is said, where nothing is.
    """

    horizon: int
    says: str
    num_trials: int
    early: int
    num_better: int
    late: int
    latest: int
    why: str = ""


def best_shares(trials: pl.DataFrame, *, maximize: bool = False) -> pl.DataFrame:
    """The best step of every complete trial as a share of its horizon.

    Args:
        trials: columns `trial`, `status`, `max_train_steps`, `best_step`,
            `best_objective`, and `tie` where there is one.
        maximize: whether the objective is to be large.

    Returns:
        Columns `trial`, `max_train_steps`, `best_step`, `share` (1 is the last step)
        and `better`: whether the trial is in the better half of its horizon's.
    """
    place, number = pl.int_range(pl.len()), pl.len()
    better = (place < (number + 1) // 2).over("max_train_steps")
    share = pl.col("best_step") / pl.col("max_train_steps")
    ranked = rank(trials, maximize=maximize).with_columns(share=share, better=better)
    return ranked.select(
        "trial", "max_train_steps", "best_step", "share", "better"
    ).sort("trial")


def share_histogram(shares: pl.DataFrame, *, bins: int = 20) -> pl.DataFrame:
    """How many trials of each horizon were best in each part of their run.

    Args:
        shares: what `best_shares` returns.
        bins: parts of a run; 20 have both the first tenth and the last quarter whole.

    Returns:
        Columns `max_train_steps`, `above`, `up_to` (shares of the run) and
        `num_trials`; every part of every horizon has a row.
    """
    if bins < 1:
        raise ValueError(f"`bins >= 1` must hold, but got bins={bins}")
    steps, horizon = pl.col("best_step"), pl.col("max_train_steps")
    part = (steps.cast(pl.Int64) * bins + horizon - 1) // horizon - 1  # of whole steps
    counted = (
        shares.with_columns(part=part.clip(0, bins - 1).cast(pl.Int64))
        .group_by("max_train_steps", "part")
        .agg(num_trials=pl.len().cast(pl.Int64))
    )
    parts = pl.DataFrame({"part": range(bins)}, schema={"part": pl.Int64})
    every = shares.select(horizon.unique().sort()).join(parts, how="cross")
    return every.join(
        counted, on=["max_train_steps", "part"], how="left", maintain_order="left"
    ).select(
        "max_train_steps",
        above=pl.col("part") / bins,
        up_to=(pl.col("part") + 1) / bins,
        num_trials=pl.col("num_trials").fill_null(0),
    )


def advise(
    trials: pl.DataFrame,
    evaluations: pl.DataFrame,
    updates: pl.DataFrame | None = None,
    *,
    maximize: bool = False,
    on_edge: Collection[str] = (),
    is_compute_bound: bool = False,
) -> list[HorizonAdvice]:
    """What the best steps say of every horizon, the shortest first.

    Args:
        trials: as in `best_shares`. Children of one parent share its curve: where there
            are the columns `parent` and `replicate`, of those the best counts.
        evaluations: whole curves, for their number: columns `trial`, `step`.
        updates: whole curves with `learning_rate`. Without them every schedule is taken
            for one that decays.
        maximize: whether the objective is to be large.
        on_edge: learning rates whose best values lie on the edge of their range: with
            any, nothing is said.
        is_compute_bound: whether better evidence than best steps says that longer
            training helps. The longest horizon's late best steps then mean what they
            seem to, though its rate decays.
    """
    shares = best_shares(_of_siblings_one(trials, maximize), maximize=maximize)
    counts = evaluations.group_by("trial").agg(num_evaluations=pl.len())
    shares = shares.join(counts, on="trial", how="left", maintain_order="left")
    decays = pl.lit(True)
    if updates is not None and "learning_rate" in updates.columns:
        rates = annealing(updates).select("trial", decays="annealed")
        shares = shares.join(rates, on="trial", how="left", maintain_order="left")
        decays = pl.col("decays").fill_null(True)
    shares = shares.with_columns(decays=decays)
    horizons = shares["max_train_steps"].unique().sort().to_list()
    return [
        _advice(
            shares.filter(max_train_steps=horizon),
            horizon,
            on_edge,
            is_compute_bound and horizon == horizons[-1],
        )
        for horizon in horizons
    ]


def _of_siblings_one(trials: pl.DataFrame, maximize: bool) -> pl.DataFrame:
    """The best of the complete trials of one parent, horizon and seed."""
    if "parent" not in trials.columns:
        return trials
    alone = -1 - pl.col("trial").cast(pl.Int64)
    line = pl.col("parent").cast(pl.Int64).fill_null(alone)
    seed = [name for name in ("replicate",) if name in trials.columns]
    ranked = rank(trials, maximize=maximize).with_columns(line=line)
    keys = ["line", "max_train_steps", *seed]
    return ranked.unique(keys, keep="first", maintain_order=True)


def _advice(
    shares: pl.DataFrame, horizon: int, on_edge: Collection[str], agreed: bool
) -> HorizonAdvice:
    better = shares.filter("better")
    early = shares.filter(pl.col("share") <= EARLY).height
    late = better.filter(pl.col("share") > LATE).height
    why = next(_doubts(shares, on_edge), "")
    says = UNDECIDED
    if not why and early >= ALWAYS * shares.height:
        says = TOO_LONG
    elif not why and late >= CONSISTENTLY * better.height:
        is_firm = agreed or not better["decays"].any()
        says = TOO_SHORT if is_firm else NOT_TOO_LONG
    elif not why:
        why = "the best steps lie neither all early nor mostly late"
    most = math.ceil(ALWAYS * shares.height)
    latest = shares["best_step"].sort()[most - 1]
    return HorizonAdvice(
        horizon, says, shares.height, early, better.height, late, latest, why
    )


def _doubts(shares: pl.DataFrame, on_edge: Collection[str]) -> Iterator[str]:
    """Why the best steps say nothing."""
    median = shares["num_evaluations"].fill_null(0).median()
    assert isinstance(median, float)
    if median < FEWEST_EVALUATIONS:
        yield f"{median:g} evaluations a run are fewer than {FEWEST_EVALUATIONS}"
    if on_edge:
        names = " and ".join(on_edge)
        yield f"the best values of {names} lie on the edge of the range"
    if shares.height < FEWEST_TRIALS:
        yield f"{shares.height} complete trials are fewer than {FEWEST_TRIALS}"
