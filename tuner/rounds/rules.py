"""Asks a study's rules whether to stop a trial, one recorded evaluation after another.

The host reads one segment behind the device. When a rule fires on an evaluation, the
trial's next segment runs already; so by definition a trial ends at the first evaluation
after the one on which a rule fired, or at its horizon if that comes first. After an
interruption the rules are asked about the last evaluation that was recorded: a trial
that was to be stopped has exactly one segment left, as if nothing had happened.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tuner.analysis.curves import with_lineage
from tuner.rounds.recorder import Columns, Recorder
from tuner.rounds.trials import Trial
from tuner.store.reader import read_table
from tuner.study.hyperparams import Hyperparams
from tuner.study.stopping import (
    Evaluations,
    Metrics,
    Prune,
    Rule,
    rule_name,
    trial_rules,
)
from tuner.study.study import Study

KINDS = ("schedule", "warm-up")  # of hyperparameters that schedules are made from
APART = ("trial", "examples")  # columns that are no evaluation's
LINKS = {"trial": pl.Int32, "resumed_from": pl.Int32, "start_step": pl.Int32}


class Rules:
    """A study's rules, with what the trials that train have recorded."""

    def __init__(self, study: Study, recorder: Recorder) -> None:
        self._study, self._recorder = study, recorder
        self._rules = trial_rules(study.rules)
        self._curves: dict[int, _Curve] = {}
        self._fired: dict[int, str] = {}  # the rule that stops a trial

    def resume(self, trials: Iterable[int], directory: Path) -> list[int]:
        """Take up trials that are about to train; which are to be stopped?

        Args:
            trials: their numbers.
            directory: of the run, where all that they have recorded is committed.
        """
        rows = self._recorder.rows
        begun = [trial for trial in trials if rows[trial].step > 0]
        if not (self._rules and begun):
            return []
        links = {name: [getattr(row, name) for row in rows.values()] for name in LINKS}
        table = read_table(directory, "valid")
        curves = with_lineage(table, pl.DataFrame(links, schema=LINKS))
        for trial in begun:
            for values in _recorded(curves.filter(trial=trial)):
                self._curve(trial, values).append(values)
        return self._ask(trial for trial in begun if trial in self._curves)

    def add(self, recorded: Columns, ended: Sequence[int]) -> list[int]:
        """Take in evaluations; which trials are to be stopped at their next?

        Args:
            recorded: new rows of the table `valid`.
            ended: trials that end with them.
        """
        if not self._rules:
            return []
        going = []
        for i, trial in enumerate(recorded.get("trial", np.array([], int)).tolist()):
            if trial not in ended and trial not in self._fired:
                values = {n: a[i] for n, a in recorded.items() if n not in APART}
                self._curve(trial, values).append(values)
                going.append(trial)
        for trial in ended:
            self._let_go(trial)
        return self._ask(going)

    def _curve(self, trial: int, values: Mapping[str, Any]) -> "_Curve":
        """The trial's evaluations; room for all of them is made with the first."""
        if trial not in self._curves:
            row = self._recorder.rows[trial]
            horizon = row.max_train_steps
            room = horizon // self._study.progression.eval_every_at(row.round)
            self._curves[trial] = _Curve(values, room, horizon)
        return self._curves[trial]

    def _ask(self, trials: Iterable[int]) -> list[int]:
        """Those on which a rule fires."""
        fired = []
        for trial in trials:
            seen = self._curves[trial].evaluations(self._study)
            about = f"trial {trial} at step {seen.step[-1]}"
            answers = _answers(self._rules, seen, about)
            if name := next((name for name, stop in answers if stop), None):
                self._fired[trial] = name
                fired.append(trial)
        return fired

    def _let_go(self, trial: int) -> None:
        self._curves.pop(trial, None)
        name = self._fired.pop(trial, None)
        if self._recorder.rows[trial].status == "stopped":
            self._recorder.note(trial, f"stopped by {name}")


class _Curve:
    """One trial's evaluations, in arrays that have room for all there will be."""

    def __init__(self, values: Mapping[str, Any], room: int, horizon: int) -> None:
        self._horizon, self._count = horizon, 0
        self._step = np.zeros(room, np.int32)
        names = [name for name in values if name != "step"]
        self._metrics = {name: np.zeros(room, np.float32) for name in names}

    def append(self, values: Mapping[str, Any]) -> None:
        """One more, `step` and metrics."""
        self._step[self._count] = values["step"]
        for name, array in self._metrics.items():
            array[self._count] = values[name]
        self._count += 1

    def evaluations(self, study: Study) -> Evaluations:
        """All up to now, not to be written to."""
        metrics = Metrics((n, self._view(a)) for n, a in self._metrics.items())
        return Evaluations(
            step=self._view(self._step),
            objective=metrics[study.target.metric],
            metrics=metrics,
            max_train_steps=self._horizon,
            maximize=study.target.sign < 0,
        )

    def _view(self, array: np.ndarray) -> np.ndarray:
        view = array[: self._count]
        view.flags.writeable = False
        return view


def check(study: Study, valid: Iterable[Sequence[str]]) -> None:
    """Ask every rule about one evaluation, all ones, before anything is compiled.

    Args:
        study: whose rules they are.
        valid: names of the metrics of an evaluation, of each program.

    Raises:
        TypeError: for an answer that is neither True nor False.
        Exception: whatever a rule raises, with a note that says about what.
    """
    for names in valid:
        values = {"step": study.eval_every, **dict.fromkeys(names, 1.0)}
        curve = _Curve(values, room=1, horizon=study.rounds[0].max_train_steps)
        curve.append(values)
        about = "an evaluation, made up, whose metrics are 1.0"
        list(_answers(trial_rules(study.rules), curve.evaluations(study), about))


def warning(study: Study, trials: Iterable[Trial]) -> str:
    """A line, if pruning may mislead: where what a schedule is made from is searched.

    Args:
        study: the study.
        trials: those of its first rounds, whose schedules came from the study's own.
    """
    if not any(isinstance(rule, Prune) for rule in study.rules):
        return ""
    read = set().union(*(_read_by_schedule(study, trial) for trial in trials))
    searched = [
        name
        for name, domain in study.space.domains.items()
        if name.split(".")[0] in read or domain.kind in KINDS
    ]
    if not searched:
        return ""
    return (
        f"warning: Prune ranks by losses in the middle of training, and schedules are "
        f"searched ({', '.join(searched)}): the order of trials can turn around when "
        "rates decay; a short Round, and a longer one that keeps its best, compares "
        "annealed trials"
    )


def _answers(
    rules: Iterable[Rule], evaluations: Evaluations, about: str
) -> Iterator[tuple[str, bool]]:
    """What each rule says, after its name: asked one by one, as answers are taken."""
    for rule in rules:
        try:
            answer = rule(evaluations)
        except Exception as error:
            error.add_note(f"The rule {rule_name(rule)!r} was asked about {about}.")
            raise
        if not isinstance(answer, bool | np.bool_):
            raise TypeError(
                "a rule must return whether to stop the trial, True or False, but "
                f"{rule_name(rule)!r} returned {answer!r} for {about}"
            )
        yield rule_name(rule), bool(answer)


def _recorded(curve: pl.DataFrame) -> Iterator[Mapping[str, Any]]:
    """Rows of one trial's curve, without the metrics that its program does not have."""
    there = [name for name in curve.columns if curve[name].null_count() < curve.height]
    yield from curve.select(n for n in there if n not in APART).iter_rows(named=True)


def _read_by_schedule(study: Study, trial: Trial) -> set[str]:
    """The hyperparameters that the study's `schedule` looks at."""
    watched = _Watched(trial.hyperparams)
    study.schedule(watched, trial.max_train_steps)
    return watched._names


class _Watched(Hyperparams):
    """Remembers which of its names were read."""

    __slots__ = ("_names",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_names", set())
        super().__init__(values)

    def __getattr__(self, name: str) -> Any:
        self._names.add(name)
        return super().__getattr__(name)
