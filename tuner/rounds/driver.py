"""Runs the rounds of a study: plan, train group by group, commit, promote, go on.

Only here do the engine and the store meet. All that is done here can be interrupted
between any two commits: what a trial is, is planned anew from the definition, and where
it stands is read from the ledger.
"""

import collections
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tuner.lanes.engine import Engine
from tuner.lanes.flight import Called
from tuner.lanes.job import Job
from tuner.lanes.layout import Layout
from tuner.lanes.phases import phase
from tuner.lanes.trial import Group
from tuner.rounds.committer import Committer
from tuner.rounds.display import Standing
from tuner.rounds.ending import Ending
from tuner.rounds.failures import raise_failed, told
from tuner.rounds.groups import by_group, make_job
from tuner.rounds.keeping import Keeping
from tuner.rounds.promotion import BEGINNINGS, states
from tuner.rounds.recorder import Recorder
from tuner.rounds.roster import Roster
from tuner.rounds.rules import Rules
from tuner.rounds.session import Session
from tuner.rounds.trials import Trial
from tuner.rounds.workshop import Workshop
from tuner.store.ledger import ENDED, Ledger, TrialRow
from tuner.store.reader import read_ledger, read_state, read_states
from tuner.store.snapshots import Entry, Stack


class Driver:
    """One study on its way through its rounds, in one run directory."""

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self.plan, self.study = session.plan, session.plan.study
        self.directory, self.recorder = session.directory, recorder
        self.layouts, self.room = session.layouts, session.room
        self.accounts, self.display = session.accounts, session.display
        self.declaration, self.profile = session.declaration, session.profile
        self.committer = Committer(session.writer)
        self.rules = Rules(self.study, recorder)
        self.ending = Ending(session, self._best)
        self.workshop = Workshop(session.layouts, session.stop, self._compiling)
        self.roster = Roster(session.plan, session.directory, recorder)
        self.keeping = Keeping(self.study, session.directory)
        self._round = 1
        self._held: list[Trial] = []  # what waits to begin
        self._is_awaited = False  # a state that a trial waits for is to be committed
        self._group = ""  # the program that trains
        self.at_work = ""  # the program that is asked for something just now

    def run(self) -> None:
        """Train all that is not trained yet; return early where that is to end."""
        with self.committer, self.workshop:
            if not self.ending.is_over:
                self.recorder.take_up()
            for number in range(1, len(self.study.rounds) + 1):
                self._run_round(number)
                self.committer.wait()
                if self.ending.due:
                    break
            if self.ending.is_over:
                self._leave()

    def _leave(self) -> None:
        """Stop what waits or trains: the study is over."""
        if self.recorder.leave(read_states(self.directory, "running")):
            self._commit()
            self.committer.wait()

    def _run_round(self, number: int) -> None:
        self._round = number
        trials = self.roster.enter(number)
        left = [t for t in trials if self._row(t).status not in ENDED]
        if not self.ending.due:
            self._train(left)
            self._let_go()
        if left and not self.ending.due:
            self.display.ended(self._standing())
        if self.recorder.has_failed(number):
            self.committer.wait()
            raise_failed(number, self.recorder.rows.values())

    def _train(self, trials: Sequence[Trial]) -> None:
        """Train trials of several programs to their ends, committing as time passes.

        The next program is compiled while one trains, and joins in as soon as that has
        no trial waiting: the devices that a tail leaves idle are its.
        """
        self._held = list(trials)
        training: dict[str, Engine] = {}
        waiting = self._released(training)
        while training or waiting:
            stopping = self.ending.due
            if waiting and not stopping and self._join(*waiting[0], training):
                waiting.pop(0)
            if waiting and not stopping:
                self.workshop.prepare(*waiting[0])
            copy = stopping or self._is_awaited or self._commit_is_due()
            for name, engine in training.items():
                self.at_work = name
                called = engine.advance(launch=not stopping, copy=copy)
                if called is not None:
                    self._record(engine, called)
                if engine.feed and (line := engine.feed.complaint()):
                    self.display.note(line)
            for name in [name for name, engine in training.items() if not engine.busy]:
                training.pop(name).rest()
            if copy or not (training or waiting):
                self._commit()
                waiting += self._released(training)
            elif self.committer.is_full(self.recorder.kept_bytes):
                self.committer.save(self.recorder.take_kept())
            if stopping and self.ending.due:
                return

    def _released(self, training: Mapping[str, Engine]) -> list["_Work"]:
        """What can begin by now, by program; what is held begins with a later commit.

        A trial is held while the state that it begins from is still to come.
        """
        if not self._held:
            return []
        self._is_awaited = False
        self.committer.wait()
        there = states(read_ledger(self.directory))
        can = [self.roster.can_begin(trial, there) for trial in self._held]
        ready = [t for t, begins in zip(self._held, can, strict=True) if begins]
        self._held = [
            t for t, begins in zip(self._held, can, strict=True) if not begins
        ]
        work = []
        for name, trials in by_group(self.study, ready).items():
            jobs = self._jobs(trials)
            if name in training:
                self._submit(training[name], jobs)
            else:
                work.append((name, self.plan.group(name), jobs))
        return work

    def _join(
        self,
        name: str,
        group: Group,
        jobs: Sequence[Job],
        training: dict[str, Engine],
    ) -> bool:
        """Let a program begin, or go on, to train; False where it must wait."""
        if not self._may_join(name, len(jobs), training):
            return False
        self.at_work = name
        engine = self.workshop.engine(name, group, jobs, wait=not training)
        if engine is None:
            return False
        self.declaration.complete()
        if self.accounts.watch(name, engine):
            self.display.compiled(name, engine.program.compile_seconds)
            if engine.program.note:
                self.display.note(engine.program.note)
        self._group = name
        self._submit(engine, jobs)
        training[name] = engine
        return True

    def _submit(self, engine: Engine, jobs: Sequence[Job]) -> None:
        """Let an engine train jobs, those to be stopped up to their next evaluation."""
        engine.submit(jobs)
        engine.stop(self.rules.resume([job.trial for job in jobs], self.directory))

    def _may_join(self, name: str, trials: int, training: Mapping[str, Engine]) -> bool:
        """Whether no trial waits for a lane, and there is room for another program."""
        if any(engine.num_waiting for engine in training.values()):
            return False
        layout, _ = self.layouts.guess(name, trials)
        layouts = [(other, engine.layout) for other, engine in training.items()]
        return not training or self.room.holds([*layouts, (name, layout)])

    def _compiling(self, name: str, trials: int, layout: Layout) -> None:
        """Training waits for a program."""
        self._group = name
        self.display.compiling(self._standing(), trials, str(layout))
        self.declaration.complete()

    def _jobs(self, trials: Sequence[Trial]) -> list[Job]:
        """What the lanes need, with the state of each trial that has begun before."""
        self.committer.wait()
        ledger = read_ledger(self.directory)
        running = {
            entry.trial: (entry.step, arrays)
            for entry, arrays in _each(read_states(self.directory, "running", ledger))
        }
        left = self._left_by(trials, ledger)
        jobs = []
        for trial in trials:
            row = self._row(trial)
            step, trained = running.get(trial.trial, (0, None))
            if trained is None and row.status == "running":
                # It was left when the study had ended, and is taken up again.
                step, trained = read_state(self.directory, trial.trial, "last")
            if trained is None and row.resumed_from is not None:
                step = row.start_step
                what, trained = left[row.resumed_from, step]
                if self.recorder.bests:
                    best_step = int(trained["best_step"])
                    self.recorder.bests.inherit(
                        trial.trial, row.resumed_from, what, best_step
                    )
            jobs.append(make_job(self.study, trial, start_step=step, trained=trained))
        return jobs

    def _left_by(self, trials: Sequence[Trial], ledger: Ledger) -> Mapping[Any, Any]:
        """What relatives of trials have left for them, by whose it is and its step."""
        rows = [self._row(trial) for trial in trials]
        begin = [row for row in rows if row.step == row.start_step]
        sources = {(row.resumed_from, row.start_step) for row in begin}
        wanted = {(trial, step) for trial, step in sources if trial is not None}
        return {
            (entry.trial, entry.step): (what, arrays)
            for what in BEGINNINGS
            for entry, arrays in _each(
                read_states(self.directory, what, ledger, wanted)
            )
        }

    @phase("record")
    def _record(self, engine: Engine, called: Called) -> None:
        of_trials = [
            self.study.examples_per_step(self.recorder.rows[trial].hyperparams)
            for trial in called.trials.tolist()
        ]
        examples = np.array(of_trials, np.int64)
        engine.stop(self.rules.add(self.recorder.add(called, examples), called.ended))
        for trial, why in called.failed.items():
            if self.recorder.rows[trial].status == "failed":
                self.display.note(told(trial, why))
        self._is_awaited = self._is_awaited or self._frees(called)
        self.accounts.add(engine, called, examples)
        self.profile.called()
        self.display.advanced(self._standing)

    def _frees(self, called: Called) -> bool:
        """Whether a call brought what a trial is held for, or that it never comes."""
        sources = {self._row(trial).resumed_from for trial in self._held}
        left = [t for c in called.copied if c.what != "best" for t in c.trials]
        return not sources.isdisjoint([*left, *called.ended])

    def _commit_is_due(self) -> bool:
        """Whether to commit now; where states are let go of, before many pile up."""
        if self.keeping.lets_go and self.committer.is_full(self.recorder.kept_bytes):
            return True
        return self.committer.is_due(self._seconds_left)

    def _seconds_left(self) -> float:
        """Until the round ends, at the present speed."""
        speed, standing = self.accounts.trial_steps_per_second, self._standing()
        return (standing.total_steps - standing.steps) / speed if speed else math.inf

    def _commit(self) -> None:
        dropped = []
        if self.keeping.is_due(self.recorder.rows):
            self.committer.wait()  # the ledger says what there is
            dropped = self.keeping.dropped(self._round)
        self.committer.submit(self.recorder.take(self.accounts.figures(), dropped))

    def _let_go(self) -> None:
        """At the end of a round: of what the last commit brought, too."""
        self.committer.wait()
        if dropped := self.keeping.dropped(self._round):
            commit = self.recorder.take(self.accounts.figures(), dropped)
            self.committer.submit(commit)

    def _standing(self) -> Standing:
        number = max(trial.round for trial in self.roster.trials.values())
        rows = [r for r in self.recorder.rows.values() if r.round == number]
        counts = collections.Counter(row.status for row in rows)
        best = self._best()
        return Standing(
            round=number,
            num_rounds=len(self.study.rounds),
            group=self._group,
            waiting=counts["waiting"],
            running=counts["running"],
            complete=counts["complete"],
            diverged=counts["diverged"],
            stopped=counts["stopped"],
            failed=counts["failed"],
            steps=sum(row.step - row.start_step for row in rows),
            total_steps=sum(_last_step(row) - row.start_step for row in rows),
            trial_steps_per_second=self.accounts.trial_steps_per_second,
            best_objective=best.best_objective if best else None,
            best_trial=best.trial if best else None,
        )

    def _best(self) -> TrialRow | None:
        sign = self.study.target.sign
        judged = {
            row.trial: sign * row.best_objective
            for row in self.recorder.rows.values()
            if row.best_objective is not None
            and row.diverged_step is None
            and row.status != "failed"
        }
        best = min(judged, key=judged.__getitem__, default=None)
        return None if best is None else self.recorder.rows[best]

    def _row(self, trial: Trial) -> TrialRow:
        return self.recorder.rows[trial.trial]


def _each(stacks: Iterable[Stack]) -> Iterator[tuple[Entry, Mapping[str, np.ndarray]]]:
    """Every state of stacks by itself."""
    for stack in stacks:
        for i, entry in enumerate(stack.entries):
            yield entry, {name: a[i, ...] for name, a in stack.arrays.items()}


_Work = tuple[str, Group, list[Job]]  # of a program


def _last_step(row: TrialRow) -> int:
    """Where a trial ends: at its horizon, unless it broke or was stopped before."""
    ended = row.diverged_step is not None or row.status in ("stopped", "failed")
    return row.step if ended else row.max_train_steps
