"""Who goes on to a longer round, and the state each of them begins from.

Trials of one configuration and seed are a tree: they are the same computation for as
long as their rates agree, so whoever trains a stretch first trains it for all. A child
begins from the newest state of any relative that lies inside what both share, be it its
parent, another ancestor, or a sibling that parts from it later.
"""

import collections
import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from tuner.analysis.ranking import pooled, rank, select, with_ties
from tuner.rounds.schedules import shared_steps
from tuner.rounds.trials import Trial
from tuner.runs import Run
from tuner.store.ledger import Ledger
from tuner.study.rounds import Round
from tuner.study.study import Study

BEGINNINGS = ("branch", "last")  # what a trial leaves that another can begin from


@dataclasses.dataclass(frozen=True)
class Start:
    """The state a promoted trial resumes from; step 0 is the beginning."""

    step: int = 0
    trial: int | None = None
    what: str | None = None


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The trials that go on, and which of them are not among the best."""

    parents: Sequence[int]
    controls: Sequence[int] = ()


def choose(study: Study, number: int, run: Run) -> Chosen:
    """The trials that go on in round `number`: the best first, then the controls.

    Configurations with several seeds are ranked by their mean, and all their trials go
    on; but one of each where the round has seeds of its own.

    Raises:
        ValueError: where the round names trials that cannot go on.
    """
    round_ = study.rounds[number - 1]
    if round_.kept_trials is not None:
        check_kept(round_, run)
        return Chosen(round_.kept_trials)
    ranked = ranking(study, number - 1, run)
    best = select(
        ranked,
        round_.num_kept,
        across=round_.across,
        combinations=len(study.progression.combinations_in(number - 1)),
    )
    rest = [trial for trial in ranked["trial"].to_list() if trial not in best]
    rng = np.random.default_rng([study.seed, number])
    drawn = rng.choice(len(rest), min(round_.control, len(rest)), replace=False)
    controls = [rest[place] for place in sorted(drawn.tolist())]
    members = dict(ranked.select("trial", "members").iter_rows())
    most = 1 if round_.seeds is not None else None
    return Chosen(
        [trial for first in [*best, *controls] for trial in members[first][:most]],
        [trial for first in controls for trial in members[first][:most]],
    )


def ranking(study: Study, number: int, run: Run) -> pl.DataFrame:
    """The configurations of a round that may go on, best first."""
    of_round = run.trials.filter(pl.col("round") == number)
    curves = run.metrics("valid", lineage=True)
    tied = with_ties(of_round, curves, study.target.metric)
    return rank(pooled(tied), maximize=study.target.sign < 0)


def check_kept(round_: Round, run: Run) -> None:
    """Refuse trials that are not there, have not ended soundly, or are no shorter."""
    trials = run.trials.select("trial", "status", "max_train_steps")
    there = {trial: rest for trial, *rest in trials.iter_rows()}
    for trial in round_.kept_trials or ():
        status, steps = there.get(trial, ("unknown", 0))
        longer = round_.max_train_steps > steps or round_.seeds is not None
        if status != "complete" or not longer:
            raise ValueError(
                "keep= takes complete trials with a shorter horizon than "
                f"{round_.max_train_steps}, but trial {trial} is {status} with "
                f"(max_train_steps={steps}): `tuner trials` lists them"
            )


def starts(
    children: Iterable[Trial], others: Iterable[Trial], ledger: Ledger
) -> dict[int, Start]:
    """Where each child begins, by its number.

    A sibling's state that a child begins from may not be there yet: it is kept when
    the sibling passes its branch step.

    Args:
        children: of a round, none of which has begun.
        others: all that were entered before.
        ledger: which says what states there are.
    """
    families: dict[tuple, list[_State]] = collections.defaultdict(list)
    kept = states(ledger)
    for trial in others:
        families[trial.identity] += [
            _State(step, Start(step, trial.trial, what), trial)
            for what, step in kept.get(trial.trial, {}).items()
        ]
    begins: dict[int, Start] = {}
    for child in sorted(children, key=_parts_at):
        family = families[child.identity]
        begins[child.trial] = _newest(child, family)
        if (step := child.branch_step) is not None:
            family.append(_State(step, Start(step, child.trial, "branch"), child))
    return begins


def states(ledger: Ledger) -> Mapping[int, Mapping[str, int]]:
    """The steps of the states that others can begin from, by trial and kind."""
    found: dict[int, dict[str, int]] = collections.defaultdict(dict)
    for place in ledger.entries:
        if place.entry.what in BEGINNINGS:
            found[place.entry.trial][place.entry.what] = place.entry.step
    return found


@dataclasses.dataclass(frozen=True)
class _State:
    """One that is there, or will be, and whose it is."""

    step: int
    start: Start
    trial: Trial


def _parts_at(child: Trial) -> tuple[float, int]:
    """Those that leave the others first come first."""
    step = child.branch_step
    return math.inf if step is None else float(step), child.trial


def _newest(child: Trial, family: Iterable[_State]) -> Start:
    """The newest state in a child's own past; of equals the first."""
    return max(_inside(child, family), key=lambda start: start.step, default=Start())


def _inside(child: Trial, family: Iterable[_State]) -> Iterator[Start]:
    for state in family:
        fits = state.step % child.eval_every == 0 and state.step > 0
        before_end = state.step < child.max_train_steps
        if (
            fits
            and before_end
            and state.step <= shared_steps(state.trial.rates, child.rates)
        ):
            yield state.start
