"""From calls to tables: gathers what the engines bring until it is committed.

Rows, statuses and states handed over together are of the same call, so that a run can
go on from any commit as if nothing had happened.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from tuner.lanes.copies import Copied
from tuner.lanes.flight import Called
from tuner.rounds.bests import Bests
from tuner.rounds.schedules import RATE
from tuner.store.ledger import TrialRow
from tuner.store.snapshots import Entry, Stack
from tuner.store.writer import Commit

Columns = Mapping[str, np.ndarray]
OVER = "the study ended: its target was reached"  # the note of a trial that was left
BEST = ("best", "best_objective", "best_step")  # leaves that outlive a broken trial


def schemas(
    scheduled: Iterable[str], train: Iterable[str], valid: Iterable[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of both tables; a metric that a group does not have is null there."""
    first = {"trial": pl.Int32, "step": pl.Int32, "examples": pl.Int64}
    rates = dict.fromkeys(scheduled, pl.Float32)
    metrics = {f"train/{name}": pl.Float32 for name in sorted(set(train))}
    evaluated = dict.fromkeys(sorted(set(valid)), pl.Float32)
    return first | rates | metrics, first | evaluated


class Recorder:
    """What has happened since the last commit, and where every trial stands.

    Attributes:
        rows: the ledger's row of every trial, by its number.
        bests: best states that come by themselves; None where lanes carry them.
    """

    def __init__(
        self,
        rows: Iterable[TrialRow],
        train_schema: Mapping[str, Any],
        valid_schema: Mapping[str, Any],
        sign: float,
        objective: str,
        bests: Bests | None = None,
    ) -> None:
        self.rows = {row.trial: row for row in rows}
        self._train_schema, self._valid_schema = train_schema, valid_schema
        self._sign, self._objective = sign, objective
        self.bests = bests
        self._changed: set[int] = set()
        self._train: list[Columns] = []
        self._valid: list[Columns] = []
        self._kept: list[Stack] = []
        self._running: list[Stack] = []

    def plan(self, rows: Iterable[TrialRow]) -> None:
        """Enter trials that wait to be trained."""
        for row in rows:
            self.rows[row.trial] = row
            self._changed.add(row.trial)

    def add(self, called: Called, examples_per_step: np.ndarray) -> Columns:
        """Take in a call: rows up to the first step that was not finite.

        Args:
            called: what the engine brought.
            examples_per_step: of each of its trials, [trials].

        Returns:
            the new rows of the table `valid`.
        """
        evaluations: Columns = {}
        if len(called.trials):
            evaluations = self._valid_rows(called, examples_per_step)
            self._train.append(self._train_rows(called, examples_per_step))
            self._valid.append(evaluations)
        for i in range(len(called.trials)):
            self._stand(called, i)
        for copied in called.copied:
            self._copy(copied)
        for trial in called.ended:
            self._end(trial, called.failed.get(trial))
        return evaluations

    def note(self, trial: int, text: str) -> None:
        """Enter a word for people."""
        self._set(trial, note=text)

    def leave(self, running: Iterable[Stack]) -> bool:
        """The study is over: stop what waits or trains; whether anything did.

        Args:
            running: the last states of what trains.
        """
        for stack in running:
            trials = tuple(entry.trial for entry in stack.entries)
            steps = tuple(entry.step for entry in stack.entries)
            self._copy(Copied("end", trials, steps, stack.arrays))
        left = [r for r in self.rows.values() if r.status in ("waiting", "running")]
        for row in left:
            status = _end(row)
            note = OVER if status == "stopped" else row.note
            self._set(row.trial, status=status, note=note)
        return bool(left)

    def take_up(self) -> None:
        """What ended for the study's sake, or failed with its round, goes on after all.

        So it is where a target was taken away, and where data can be read again that
        no trial of a round could go on without.
        """
        rounds = {row.round for row in self.rows.values()}
        without = [number for number in rounds if self.has_failed(number)]
        for row in list(self.rows.values()):
            if row.note != OVER and row.round not in without:
                continue
            begun = row.step > row.start_step
            self._set(row.trial, status="running" if begun else "waiting", note="")

    def has_failed(self, number: int) -> bool:
        """Whether every trial of a round has."""
        statuses = {row.status for row in self.rows.values() if row.round == number}
        return statuses == {"failed"}

    @property
    def kept_bytes(self) -> int:
        """The size of the states that wait to be kept for good.

        Without the best ones: newer ones replace them, so there are few.
        """
        return sum(a.nbytes for stack in self._kept for a in stack.arrays.values())

    def take_kept(self) -> list[Stack]:
        """The states that wait to be kept for good, and let others wait."""
        kept, self._kept = self._kept, []
        return kept

    def take(
        self, figures: Mapping[str, Any], dropped: Sequence[tuple[int, str]] = ()
    ) -> Commit:
        """All that a commit needs, and begin anew.

        Args:
            figures: the run's accounting.
            dropped: states that are kept no more.
        """
        bests, shares = self.bests.take() if self.bests else ([], [])
        commit = Commit(
            train=_frame(self._train, self._train_schema),
            valid=_frame(self._valid, self._valid_schema),
            trials=[self.rows[trial] for trial in sorted(self._changed)],
            kept=[*self.take_kept(), *bests],
            running=self._running,
            shares=shares,
            dropped=dropped,
            figures=figures,
        )
        self._changed = set()
        self._train, self._valid, self._running = [], [], []
        return commit

    def _train_rows(self, called: Called, examples_per_step) -> Columns:
        kept = called.kept
        step = called.step[kept]
        return {
            "trial": np.repeat(called.trials, called.good),
            "step": step,
            "examples": step * np.repeat(examples_per_step, called.good),
            **{name: values[kept] for name, values in called.rates.items()},
            **{f"train/{name}": a[kept] for name, a in called.train.items()},
        }

    def _valid_rows(self, called: Called, examples_per_step) -> Columns:
        whole = called.due & (called.good == called.steps)
        step = called.step[whole, -1]
        return {
            "trial": called.trials[whole],
            "step": step,
            "examples": step * examples_per_step[whole],
            **{name: values[whole] for name, values in called.valid.items()},
        }

    def _stand(self, called: Called, i: int) -> None:
        """Where trial i of a call stands after it."""
        trial, good = int(called.trials[i]), int(called.good[i])
        row = self.rows[trial]
        if row.diverged_step is not None:
            return  # known before an interruption: it runs on only to be taken out
        step = int(called.base[i]) + good
        news: dict[str, Any] = {"status": "running"}
        if good < called.steps[i]:
            broke = int(np.flatnonzero(called.step[i] == step + 1)[-1])
            news["diverged_step"] = step + 1
            news["diverged_learning_rate"] = float(called.rates[RATE][i, broke])
        elif called.due[i]:
            news["final_objective"] = float(called.valid[self._objective][i])
        if called.best_step[i] >= 0:
            news["best_step"] = int(called.best_step[i])
            news["best_objective"] = self._sign * float(called.best_objective[i])
        self._set(trial, step=step, **news)

    def _copy(self, copied: Copied) -> None:
        """States by what is to become of them."""
        if copied.what == "running":
            self._running.append(_stack(copied, "running"))
            return
        if copied.what == "best":
            assert self.bests is not None
            for i in range(len(copied.trials)):
                self.bests.add(_stack(_rows_of(copied, [i]), "best"))
            return
        broken = [self.rows[t].diverged_step is not None for t in copied.trials]
        sound = _rows_of(copied, [i for i, b in enumerate(broken) if not b])
        what = "last" if copied.what == "end" else copied.what
        if sound.trials:
            self._kept.append(_stack(sound, what))
        if self.bests is not None:
            for trial in sound.trials if what == "branch" else ():
                self.bests.branch(trial, self.rows[trial].best_step)
        elif copied.what == "end" and any(broken):
            self._keep_best_of_broken(
                _rows_of(copied, [i for i, b in enumerate(broken) if b])
            )

    def _keep_best_of_broken(self, copied: Copied) -> None:
        """Of a state that is no longer finite, the best before is what remains."""
        best_steps = copied.arrays["best_step"]
        copied = _rows_of(copied, [i for i, s in enumerate(best_steps) if s >= 0])
        if copied.trials:
            arrays = {
                name: array
                for name, array in copied.arrays.items()
                if name.partition(".")[0] in BEST
            }
            best = dataclasses.replace(copied, arrays=arrays)
            self._kept.append(_stack(best, "best"))

    def _end(self, trial: int, failed: str | None) -> None:
        """A trial trains no more; one that broke has not failed besides."""
        row = self.rows[trial]
        if failed is None or row.diverged_step is not None:
            self._set(trial, status=_end(row))
        else:
            self._set(trial, status="failed", note=failed)

    def _set(self, trial: int, **news: Any) -> None:
        self.rows[trial] = dataclasses.replace(self.rows[trial], **news)
        self._changed.add(trial)


def _end(row: TrialRow) -> str:
    """The status of a trial that trains no more."""
    if row.diverged_step is not None:
        return "diverged"
    return "complete" if row.step == row.max_train_steps else "stopped"


def _stack(copied: Copied, what: str) -> Stack:
    steps = copied.arrays["best_step"] if what == "best" else copied.steps
    entries = tuple(
        Entry(trial=trial, what=what, step=int(step))
        for trial, step in zip(copied.trials, steps, strict=True)
    )
    return Stack(entries=entries, arrays=copied.arrays)


def _rows_of(copied: Copied, rows: Sequence[int]) -> Copied:
    """Some of the states; all of them are not copied once more."""
    if len(rows) == len(copied.trials):
        return copied
    return dataclasses.replace(
        copied,
        trials=tuple(copied.trials[i] for i in rows),
        steps=tuple(copied.steps[i] for i in rows),
        arrays={name: array[list(rows)] for name, array in copied.arrays.items()},
    )


def _frame(parts: Sequence[Columns], schema: Mapping[str, Any]) -> pl.DataFrame:
    """All rows in one frame; a column that a part does not have is null there."""
    return pl.DataFrame(
        {name: _column(parts, name, dtype) for name, dtype in schema.items()},
        schema=dict(schema),
    )


def _column(parts: Sequence[Columns], name: str, dtype: Any) -> Any:
    if parts and all(name in part for part in parts):
        return np.concatenate([part[name] for part in parts])
    series = [
        pl.Series(name, part[name], dtype=dtype)
        if name in part
        else pl.Series(name, [None], dtype=dtype).new_from_index(0, len(part["trial"]))
        for part in parts
    ]
    return pl.concat(series) if series else pl.Series(name, [], dtype=dtype)
