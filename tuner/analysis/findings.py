"""All findings of a run, gathered from the parts of the analysis."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from tuner.analysis.boundary import BEST, edges
from tuner.analysis.finding import Finding
from tuner.analysis.sameness import sameness_findings
from tuner.analysis.steps import step_findings, steps_known
from tuner.analysis.transfer_findings import transfer_findings

FEWEST_EVALUATIONS = 20
LARGE_SHARE = 0.25  # of the trials that broke


def findings(
    trials: pl.DataFrame,
    definition: Mapping[str, Any],
    evaluations: pl.DataFrame | None = None,
    updates: pl.DataFrame | None = None,
) -> list[Finding]:
    """All findings of a run, those that question its answer first.

    Args:
        trials: the run's, with `tie`, the loss at their best step.
        definition: what `study.json` says.
        evaluations: whole curves of evaluations; without them nothing is said that
            needs them.
        updates: whole curves of steps, likewise.
    """
    study = definition["study"]
    return [
        *sameness_findings(definition),
        *_edges(trials, study),
        *_broken(trials),
        *_failed(trials),
        *_rarely_evaluated(study),
        *_steps(trials, study, evaluations, updates),
        *transfer_findings(trials, definition, evaluations),
    ]


def _steps(
    trials: pl.DataFrame,
    study: Mapping[str, Any],
    evaluations: pl.DataFrame | None,
    updates: pl.DataFrame | None,
) -> Iterator[Finding]:
    if evaluations is None or updates is None:
        return
    known = steps_known(trials, study, evaluations, updates)
    yield from step_findings(known, trials, study)


def _edges(trials: pl.DataFrame, study: Mapping[str, Any]) -> Iterator[Finding]:
    maximize = study["objective"]["direction"] == "maximize"
    for edge in edges(trials, study["space"], maximize=maximize):
        far = {"low": "lower", "high": "higher"}[edge.end]
        yield Finding(
            id="C1",
            subject=edge.name,
            text=f"{edge.near} of the best {BEST} trials lie in the {edge.end}est "
            f"fifth of its range, which ends at {edge.limit:g}: the best value may lie "
            "outside.",
            remedy=f"Search {far} than {edge.end}={edge.limit:g}, until the best lie "
            f"well inside; say hard={edge.end!r} if it is a natural limit.",
        )


def _broken(trials: pl.DataFrame) -> Iterator[Finding]:
    begun = trials.filter(
        pl.col("parent").is_null(),
        pl.col("status").is_in(("waiting", "running")).not_(),
    )
    broken = begun.filter(status="diverged")
    if broken.is_empty() or broken.height < LARGE_SHARE * begun.height:
        return
    rates = broken["diverged_learning_rate"].drop_nulls()
    at = f", at learning rates from {rates.min():.2g} on" if len(rates) else ""
    yield Finding(
        id="C3",
        subject="trials",
        text=f"{broken.height} of {begun.height} trials "
        f"({broken.height / begun.height:.0%}) diverged{at}.",
        remedy="Search lower learning rates, warm up longer or clip gradients; if they "
        "break all over the space, suspect a bug.",
    )


def _failed(trials: pl.DataFrame) -> Iterator[Finding]:
    """Trials that are missing for no reason of their own."""
    failed = trials.filter(status="failed")
    if failed.is_empty():
        return
    notes = failed["note"] if "note" in failed.columns else []
    why = next((f": {note}" for note in notes if note), "")
    yield Finding(
        id="C3",
        subject="failed trials",
        text=f"{failed.height} of {trials.height} trials failed and take part in no "
        f"comparison{why}.",
        remedy="Mend the data; a run of its own, in another directory, has them all.",
    )


def _rarely_evaluated(study: Mapping[str, Any]) -> Iterator[Finding]:
    """A trial's best step can only be one at which it was evaluated."""
    usual = study["eval_every"]
    pairs = [
        (r["max_train_steps"], r.get("eval_every") or usual) for r in study["rounds"]
    ]
    shortest, every = min(pairs, key=lambda pair: pair[0] // pair[1])
    if shortest // every >= FEWEST_EVALUATIONS:
        return
    horizons = [steps for steps, interval in pairs if interval == every]
    enough = range(1, shortest // FEWEST_EVALUATIONS + 1)
    often = [n for n in enough if all(horizon % n == 0 for horizon in horizons)]
    yield Finding(
        id="D5",
        subject="eval_every",
        text=f"A trial of {shortest} steps is evaluated {shortest // every} times, "
        f"fewer than {FEWEST_EVALUATIONS}: its best step is known no better, and "
        "longer training may seem to hurt.",
        remedy=f"Evaluate more often: eval_every={max(often, default=1)}.",
    )
