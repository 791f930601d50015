"""How long to train, as far as a run can tell: all that is known of its steps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from tuner.analysis.boundary import edges_of_rates
from tuner.analysis.compute_bound import Verdict, compute_bound
from tuner.analysis.extended import LINTS, SHORTEST_DECAY, lint_promoted
from tuner.analysis.finding import Finding
from tuner.analysis.gains import BOUND, UNDECIDED
from tuner.analysis.phases import RATE
from tuner.analysis.shares import (
    TOO_LONG,
    TOO_SHORT,
    HorizonAdvice,
    advise,
    best_shares,
)


@dataclass(frozen=True, eq=False)
class StepsKnown:
    """What a run says about how long to train.

    Attributes:
        shares: the best step of each complete trial as a share of its horizon.
        advice: what they say of each horizon, the shortest first.
        verdict: whether longer training would help.
        lints: what is doubtful about the schedules of promoted trials.
    """

    shares: pl.DataFrame
    advice: list[HorizonAdvice]
    verdict: Verdict
    lints: pl.DataFrame


def steps_known(
    trials: pl.DataFrame,
    study: Mapping[str, Any],
    evaluations: pl.DataFrame,
    updates: pl.DataFrame,
    *,
    directory: str = "DIR",
) -> StepsKnown:
    """What a run says about how long to train.

    Args:
        trials: the run's, with `tie`, the loss at their best step.
        study: its definition.
        evaluations: whole curves of evaluations.
        updates: whole curves of steps.
        directory: the run's, for the command that would settle what is open.
    """
    objective = study["objective"]
    maximize = objective["direction"] == "maximize"
    on_edge = edges_of_rates(trials, study["space"], maximize=maximize)
    verdict = compute_bound(
        trials,
        evaluations,
        updates,
        objective=objective["metric"],
        maximize=maximize,
        training_examples=study.get("task", {}).get("training_examples"),
        on_edge=on_edge,
        directory=directory,
    )
    advice = advise(
        trials,
        evaluations,
        updates,
        maximize=maximize,
        on_edge=on_edge,
        is_compute_bound=verdict.says == BOUND,
    )
    has_rates = RATE in updates.columns
    lints = lint_promoted(trials, updates) if has_rates else pl.DataFrame(schema=LINTS)
    shares = best_shares(trials, maximize=maximize)
    return StepsKnown(shares, advice, verdict, lints)


def step_findings(
    known: StepsKnown, trials: pl.DataFrame, study: Mapping[str, Any]
) -> Iterator[Finding]:
    """What of it is to be acted upon."""
    yield from _on_the_verdict(known.verdict)
    for advice in known.advice:
        is_last = advice is known.advice[-1]
        if advice.says == TOO_LONG:
            yield _too_long(advice)
        if advice.says == TOO_SHORT and is_last:
            yield _too_short(advice)
            yield from _stingy(advice, trials, study)
    yield from _on_the_extensions(known.lints, trials)


def _on_the_verdict(verdict: Verdict) -> Iterator[Finding]:
    if verdict.says == UNDECIDED:
        return
    (decided, *_) = [e for e in verdict.evidence if e.says == verdict.says]
    improving = "D1" if decided.kind == "epochs" else "C9"
    yield Finding(
        id=improving if verdict.says == BOUND else "C10",
        subject=verdict.says,
        text=decided.text,
        remedy=verdict.to_do,
    )


def _too_long(advice: HorizonAdvice) -> Finding:
    return Finding(
        id="D4",
        subject="max_train_steps",
        text=f"{advice.early} of {advice.num_trials} trials of {advice.horizon:,} "
        "steps were best in the first tenth of their run: far too many steps.",
        remedy=f"Train for fewer. By step {advice.latest:,} nine of ten were best; "
        "leave several times that, since too few need a perfectly tuned decay (D12) "
        "and longer training never hurts the best (D5).",
    )


def _too_short(advice: HorizonAdvice) -> Finding:
    return Finding(
        id="D4",
        subject="max_train_steps",
        text=f"{advice.late} of the better {advice.num_better} trials of "
        f"{advice.horizon:,} steps were best in the last quarter of their run.",
        remedy="Train longer, and tune the decay of the rate again at that length. "
        "When in doubt, longer.",
    )


def _stingy(
    advice: HorizonAdvice, trials: pl.DataFrame, study: Mapping[str, Any]
) -> Iterator[Finding]:
    """A tight budget asks much of the decay, so that it had better be searched."""
    shapes = [
        name
        for name, domain in study["space"].items()
        if domain["type"] != "fixed" and domain.get("kind") == "schedule"
    ]
    decays = trials.filter(max_train_steps=advice.horizon, status="complete")
    column = "schedule.decay_steps"
    if shapes or column not in trials.columns or not decays[column].max():
        return
    yield Finding(
        id="D12",
        subject="max_train_steps",
        text=f"{advice.horizon:,} steps are a tight budget, and how the rate decays "
        "was not searched: with so few steps a result is as good as its decay.",
        remedy="Train longer, or search the decay's length, declared with "
        'kind="schedule".',
    )


REMEDIES = {
    "seam": (
        "D9",
        "An extension has to repeat its parent's rates up to the step it goes on from, "
        "and go on where they end: use tuner.LengthenConstant() or tuner.Stretch().",
    ),
    "low rates": (
        "D10",
        "Spend the added steps at a high rate: extend=tuner.LengthenConstant().",
    ),
    "short decay": (
        "D9",
        "Give it a tenth of the steps at least: "
        "extend=tuner.LengthenConstant(decay_steps={decay_steps}), or tuner.Stretch().",
    ),
    "weight decay": (
        "D8",
        "What was tuned short is another regularization here: search the weight decay "
        "again at this length, or divide it by as much as the horizon grew.",
    ),
}


def _on_the_extensions(lints: pl.DataFrame, trials: pl.DataFrame) -> Iterator[Finding]:
    """One finding for each kind in each round, with its first trial's numbers."""
    for (number, name), rows in lints.group_by("round", "lint", maintain_order=True):
        promoted = trials.filter(
            pl.col("parent").is_not_null(), status="complete", round=number
        )
        trial, text = rows.select("trial", "text").row(0)
        id_, remedy = REMEDIES[str(name)]
        decay_steps = SHORTEST_DECAY * promoted.select("max_train_steps").row(0)[0]
        yield Finding(
            id=id_,
            subject=f"round {number}",
            text=f"{rows['trial'].n_unique()} of {promoted.height} promoted trials, "
            f"{trial} for one: {text}.",
            remedy=remedy.format(decay_steps=round(decay_steps)),
        )
