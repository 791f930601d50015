"""Who goes on to a longer round, and the state each of them begins from."""

import dataclasses
from collections.abc import Mapping

import polars as pl

from tuner.analysis.ranking import rank, select, with_ties
from tuner.rounds.schedules import shared_steps
from tuner.rounds.trials import Trial
from tuner.runs import Run
from tuner.store.ledger import Ledger
from tuner.study.study import Study


@dataclasses.dataclass(frozen=True)
class Start:
    """The snapshot a promoted trial resumes from; step 0 is the beginning."""

    step: int = 0
    trial: int | None = None
    what: str | None = None


def choose_parents(study: Study, number: int, run: Run) -> list[int]:
    """The trials of the round before that round `number` keeps, best first."""
    round_ = study.rounds[number - 1]
    before = run.trials.filter(pl.col("round") == number - 1)
    curves = run.metrics("valid", lineage=True)
    tied = with_ties(before, curves, study.target.metric)
    return select(
        rank(tied, maximize=study.target.sign < 0),
        round_.keep,
        across=round_.across,
        combinations=len(study.space.combinations()),
    )


def starting_point(child: Trial, trials: Mapping[int, Trial], ledger: Ledger) -> Start:
    """The newest state of an ancestor that lies inside the shared prefix.

    There the child's past is its ancestor's: the same updates at the same rates.
    """
    kept = {
        (place.entry.trial, place.entry.what): place.entry.step
        for place in ledger.entries
        if place.entry.what in ("branch", "last")
    }
    ancestor = trials[child.parent] if child.parent is not None else None
    limit = shared_steps(ancestor.rates, child.rates) if ancestor else 0
    starts = [Start()]
    while ancestor is not None:
        starts += [
            Start(step, trial, what)
            for (trial, what), step in kept.items()
            if trial == ancestor.trial and step <= limit
        ]
        limit = min(limit, ancestor.start_step)
        ancestor = trials[ancestor.parent] if ancestor.parent is not None else None
    return max(starts, key=lambda start: start.step)
