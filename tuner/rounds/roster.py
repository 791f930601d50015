"""Who trains: the trials of every round, entered in the ledger before they begin.

A trial is planned anew from the definition whenever a run is started, and known again
by what it is: its number is the one that the ledger has. So a round may have grown
meanwhile: new trials get numbers that are free, and those that rank among the best
after it go on too. Whoever went on before stays.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tuner.rounds.groups import group_name
from tuner.rounds.preflight import Plan
from tuner.rounds.promotion import Chosen, Start, choose, starts
from tuner.rounds.recorder import Recorder
from tuner.rounds.schedules import RATE
from tuner.rounds.trials import Trial, canonical, promoted
from tuner.runs import Run
from tuner.store.ledger import ENDED, TrialRow
from tuner.store.reader import read_ledger
from tuner.study.schedule import Schedule


class Roster:
    """The trials of a run, by number.

    Attributes:
        trials: those of the rounds that were entered.
    """

    def __init__(self, plan: Plan, directory: Path, recorder: Recorder) -> None:
        self._plan, self._study = plan, plan.study
        self._directory, self._recorder = directory, recorder
        self.trials: dict[int, Trial] = {}

    def enter(self, number: int) -> list[Trial]:
        """The trials of a round; the ledger has those that are new as waiting.

        Everything before the round is committed.
        """
        new = self._numbered(self._plan.rounds[number - 1])
        self._add(new, {})
        children = self._numbered(self._children(number))
        unknown = [t for t in children if t.trial not in self._recorder.rows]
        ledger = read_ledger(self._directory) if unknown else None
        begins = starts(unknown, self.trials.values(), ledger) if ledger else {}
        self._add(children, begins)
        return [*new, *children]

    def can_begin(self, trial: Trial, there: Mapping[int, Mapping[str, int]]) -> bool:
        """Whether the state it begins from is there; if it never comes, from another.

        A sibling that broke before it could leave its state leaves none.

        Args:
            trial: that has not begun, or goes on.
            there: what `promotion.states` says of the ledger.
        """
        rows = self._recorder.rows
        row = rows[trial.trial]
        source = row.resumed_from
        if source is None or row.step > row.start_step:
            return True
        if row.start_step in there.get(source, {}).values():
            return True
        if rows[source].status not in ENDED:
            return False
        others = [t for t in self.trials.values() if t.trial in there]
        start = starts([trial], others, read_ledger(self._directory))[trial.trial]
        self._recorder.plan([_begun_from(row, start)])
        return True

    def _add(self, trials: Iterable[Trial], begins: Mapping[int, Start]) -> None:
        for trial in trials:
            self.trials[trial.trial] = trial
            if trial.trial not in self._recorder.rows:
                row = _waiting(trial, group_name(self._study, trial))
                start = begins.get(trial.trial, Start())
                self._recorder.plan([_begun_from(row, start)])

    def _numbered(self, trials: Iterable[Trial]) -> list[Trial]:
        """Trials by the numbers that the ledger has for them; new ones by free ones."""
        rows = self._recorder.rows
        known = {_identity(row): number for number, row in rows.items()}
        taken = set(rows)
        beyond = itertools.count(max(taken, default=-1) + 1)
        free = (number for number in beyond if number not in taken)
        numbered = []
        for trial in trials:
            number = known.get(_identity(trial))
            if number is None:
                number = trial.trial if trial.trial not in taken else next(free)
                taken.add(number)
            numbered.append(dataclasses.replace(trial, trial=number))
        return numbered

    def _children(self, number: int) -> Iterator[Trial]:
        """The promoted trials of a round: those entered before, and the best now."""
        round_ = self._study.rounds[number - 1]
        if not round_.num_promoted:
            return iter(())
        rows = self._recorder.rows.values()
        promoted_before = [
            row for row in rows if row.round == number and row.parent is not None
        ]
        chosen = _as_chosen(promoted_before)
        if self._has_grown(number, promoted_before):
            now = choose(self._study, number, Run(self._directory))
            chosen = _with_newcomers(chosen, now, round_.control)
        parents = [self.trials[trial] for trial in chosen.parents]
        return promoted(self._study, number, parents, chosen.controls)

    def _has_grown(self, number: int, children: list[TrialRow]) -> bool:
        """Whether there is anybody to choose: at first, and after a round has grown."""
        if not children:
            return True
        round_ = self._study.rounds[number - 1]
        each = max(1, len(round_.extensions)) * (round_.seeds or 1)
        if len(children) < round_.num_promoted * each:
            return True
        first = min(row.trial for row in children)
        before = [r for r in self._recorder.rows.values() if r.round == number - 1]
        return any(row.trial > first for row in before)


def _identity(trial: Trial | TrialRow) -> tuple:
    """What tells a trial of a run from the others, whatever its number."""
    combination = trial.combination
    text = combination if isinstance(combination, str) else canonical(combination)
    return (
        *(trial.round, trial.sample, text, trial.replicate),
        *(trial.parent, trial.extend),
    )


def _as_chosen(children: Iterable[TrialRow]) -> Chosen:
    """Who went on, from the rows of their children."""
    parents = {row.parent: row.control for row in children if row.parent is not None}
    return Chosen(list(parents), [p for p, control in parents.items() if control])


def _with_newcomers(before: Chosen, now: Chosen, control: int) -> Chosen:
    """Those that went on, and who ranks among the best by now; nobody is demoted."""
    if not before.parents:
        return now
    best = [t for t in now.parents if t not in now.controls and t not in before.parents]
    room = control - len(before.controls)
    others = [t for t in now.controls if t not in before.parents][: max(0, room)]
    parents = [*before.parents, *best, *others]
    return Chosen(parents, [*before.controls, *others])


def _waiting(trial: Trial, group: str) -> TrialRow:
    """A planned trial as the ledger's row."""
    rate = trial.schedules[RATE]
    return TrialRow(
        trial=trial.trial,
        sample=trial.sample,
        replicate=trial.replicate,
        round=trial.round,
        group=group,
        parent=trial.parent,
        extend=trial.extend,
        control=trial.control,
        start_step=0,
        resume="fresh",
        status="waiting",
        max_train_steps=trial.max_train_steps,
        step=0,
        combination=canonical(trial.combination),
        hyperparams=trial.hyperparams,
        schedule=rate.describe() if isinstance(rate, Schedule) else {},
    )


def _begun_from(row: TrialRow, start: Start) -> TrialRow:
    """The row of a trial that waits to begin from a state."""
    return dataclasses.replace(
        row,
        resumed_from=start.trial,
        start_step=start.step,
        step=start.step,
        resume="exact" if start.step else "fresh",
    )
