"""The one writer of a run: everything a commit brings becomes durable, or none of it.

A commit is snapshots, parts and ledger, in this order, so metrics never run ahead of
the states they belong to; the ledger's transaction acknowledges it. What no row of the
ledger names (the rest of a killed commit, states since replaced) is swept away, by the
holder of the lock alone: a reader that tidied up would delete what is being written.
"""

import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tuner.store import (
    compaction,
    database,
    definition,
    durable,
    lock,
    lost,
    place,
    snapshots,
    space,
    tables,
)
from tuner.store.ledger import FileRow, Place, Share, TrialRow
from tuner.store.snapshots import Stack
from tuner.store.space import FullDiskError
from tuner.store.tables import Columns


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What became true since the last commit, all of the same moment.

    Attributes:
        train: new rows of the table `train`.
        valid: new rows of the table `valid`.
        trials: inserted or replaced.
        kept: states kept for good (best, last, branch); the newest of a kind wins.
        shares: states that earlier commits brought, before these replace any.
        running: states of trials now training, each until a newer one, or its end.
        dropped: states that are kept no more: a trial, and what it was kept as.
        figures: the run's accounting, as JSON; it replaces the earlier one.
    """

    train: pl.DataFrame | None = None
    valid: pl.DataFrame | None = None
    trials: Sequence[TrialRow] = ()
    kept: Sequence[Stack] = ()
    running: Sequence[Stack] = ()
    shares: Sequence[Share] = ()
    dropped: Sequence[tuple[int, str]] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, stacks in (("kept", self.kept), ("running", self.running)):
            for entry in (entry for stack in stacks for entry in stack.entries):
                if (entry.what == "running") != (name == "running"):
                    raise ValueError(
                        "`running` must hold all running states and no others, but got"
                        f" (trial={entry.trial}, what={entry.what!r}) in `{name}`"
                    )


@dataclass(frozen=True)
class Saved:
    """A stack that is on the disk, and that nothing names before a commit does."""

    file: FileRow
    places: Sequence[Place]


class Writer:
    """Writes a run; holds its lock until closed.

    Threads may share it: what one writes, another does not sweep away half done.

    Args:
        directory: of the run, made if need be.
        locked: whether to take its lock, as it should be wherever there are locks.
        damaged: parts and snapshots that are known to be, for `restart` to forget.

    Attributes:
        on_full: asked when the disk is full; where it returns, what failed for want of
            room is done once more.
        is_waiting: whether it is being asked.

    Raises:
        FileExistsError: the directory holds files where a run would keep its own.
        LockedError: another process writes this run.
        DamagedError: the ledger is damaged or gone, or a folder leads elsewhere.
        FullDiskError: there is no room, and `on_full` does not wait.
        UnwritableError: the directory is gone, or cannot be written.
    """

    def __init__(
        self, directory: Path, *, locked: bool = True, damaged: Collection[str] = ()
    ) -> None:
        self._damaged = damaged
        self._directory = directory.absolute()
        self._turn = threading.RLock()
        self._ahead: set[str] = set()  # paths of what the next commit may bring
        self.on_full: space.OnFull = space.give_up
        self.is_waiting = False
        with place.named(self._directory):
            self._open(locked)

    def _open(self, locked: bool) -> None:
        begun = (self._directory / database.NAME).exists()
        if not begun and not lock.is_held(self._directory):
            lost.refuse_strangers(self._directory, _FOLDERS)
        durable.make_folders(self._directory, _FOLDERS)
        with ExitStack() as resources:
            holding = lock.hold(self._directory, locked=locked)
            self._is_ours = resources.enter_context(holding)
            durable.check_all_inside(self._directory, _FOLDERS)
            ledger = database.read(self._directory)  # before anything is swept away
            if ledger is None:
                lost.refuse_strangers(self._directory, _FOLDERS)
            files = ledger.files if ledger else {}
            self._columns = tables.fixed_columns(self._directory, self._sound(files))
            writing = database.writing(self._directory, locked=locked)
            self._connection = resources.enter_context(writing)
            self._sweep()
            self._resources = resources.pop_all()

    def write_definition(self, study: Mapping[str, Any]) -> None:
        """Writes the study's definition, over an earlier one."""
        self._durably(space.SMALL, lambda: definition.write(self._directory, study))

    def fix_schemas(self, train: Columns, valid: Columns) -> None:
        """Fixes the columns of both tables, once; later calls must agree with them."""
        columns = {"train": pl.Schema(train), "valid": pl.Schema(valid)}
        unknown = columns.keys() - self._columns.keys()
        if unknown:
            self._make_room(tables.part_path(name, 0) for name in unknown)
            empty = {name: pl.DataFrame(schema=columns[name]) for name in unknown}
            self._durably(
                space.SMALL,
                lambda: database.add_files(self._connection, self._append(0, empty)),
            )
            self._columns = columns | self._columns
        for name, fixed in self._columns.items():
            tables.check_columns(name, columns[name], fixed)

    def save(self, kept: Sequence[Stack]) -> list[Saved]:
        """Saves states ahead of the next commit, which keeps them for good or not."""
        saved: list[Saved] = []

        def work() -> None:
            number = database.last_number(self._connection) + 1
            saved.extend(self._save(number, kept))

        with self._turn:
            self._durably(space.needed(kept, {}, ()), work)
            self._ahead |= {each.file.path for each in saved}
        return saved

    def commit(self, commit: Commit, saved: Sequence[Saved] = ()) -> None:
        """Makes a commit durable; if it fails, the run is as it was before.

        Args:
            commit: what it brings.
            saved: more states to keep, those of its own being newer.
        """
        frames = self._fitting({"train": commit.train, "valid": commit.valid})
        with self._turn, self._named():
            outlived = self._outlived(commit, saved)
            stacks = [*commit.kept, *commit.running, *outlived]
            number = database.last_number(self._connection) + 1
            self._durably(
                space.needed(stacks, frames, commit.trials),
                lambda: self._commit(number, commit, saved, frames, stacks),
                number,
            )

    def restart(self, trials: Sequence[TrialRow]) -> None:
        """Forgets, in one commit, all rows and states of trials that begin anew.

        Parts never change, so those that hold such rows are replaced by new ones. What
        is known to be damaged is forgotten with them: all that it held was theirs.

        Args:
            trials: the ledger's new rows of them.
        """
        with self._turn, self._named():
            self._restart(trials)

    def close(self) -> None:
        """Closes the ledger and releases the lock."""
        self._resources.close()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _named(self) -> AbstractContextManager[None]:
        return place.named(self._directory, self._is_ours)

    def _durably(
        self, needed: int, work: Callable[[], Any], number: int | None = None
    ) -> None:
        """Does some work, and once more whenever a full disk has been waited for.

        Args:
            needed: bytes that it writes, about.
            work: it may have failed half way the time before.
            number: of the commit that it acknowledges; that is never done twice.
        """
        with self._turn, self._named():
            while number is None or database.last_number(self._connection) < number:
                place.check_ours(self._directory, self._is_ours)
                try:
                    space.check(self._directory, needed)
                    work()
                except FullDiskError as full:
                    self._wait(full)
                except Exception as error:
                    self._sweep()  # what is half written takes room
                    if not space.is_full(self._directory, needed, error):
                        raise
                    self._wait(FullDiskError(self._directory, needed))
                else:
                    return

    def _wait(self, full: FullDiskError) -> None:
        self.is_waiting = True
        try:
            self.on_full(full)
        finally:
            self.is_waiting = False

    def _commit(
        self,
        number: int,
        commit: Commit,
        saved: Sequence[Saved],
        frames: Mapping[str, pl.DataFrame],
        stacks: Sequence[Stack],
    ) -> None:
        self._sweep()  # what a failed commit left
        saved = [*saved, *self._save(number, stacks)]
        database.record_commit(
            self._connection,
            number=number,
            trials=commit.trials,
            files=[*(s.file for s in saved), *self._append(number, frames)],
            places=[place for s in saved for place in s.places],
            shares=commit.shares,
            dropped=commit.dropped,
            figures=commit.figures,
        )
        self._ahead.clear()
        self._sweep()  # what this commit replaced, or was saved and does not bring

    def _outlived(self, commit: Commit, saved: Sequence[Saved]) -> list[Stack]:
        """States whose neighbours are dead, or are with this commit."""
        entries = [entry for stack in commit.kept for entry in stack.entries]
        entries += [place.entry for each in saved for place in each.places]
        ending = {*commit.dropped, *((e.trial, e.what) for e in entries)}
        paths = database.sparse_snapshots(self._connection, ending)
        if not paths:
            return []
        ledger = database.read(self._directory)
        assert ledger is not None  # this writer has made it
        return list(compaction.outlived(self._directory, ledger, paths, ending))

    def _restart(self, trials: Sequence[TrialRow]) -> None:
        numbers = [row.trial for row in trials]
        ledger = database.read(self._directory)
        assert ledger is not None  # this writer has made it
        first = {tables.part_path(name, 0) for name in tables.NAMES}
        replaced = [p for p in self._damaged if p in ledger.files and p not in first]
        frames = {}
        for name in tables.NAMES:
            sound = self._sound(ledger.files)
            paths, frames[name] = tables.without(self._directory, name, sound, numbers)
            replaced += paths
        frames = {name: frame for name, frame in frames.items() if frame.height}
        number = ledger.number + 1

        def forget() -> None:
            database.record_commit(
                self._connection,
                number=number,
                trials=trials,
                files=self._append(number, frames),
                places=[],
                figures=ledger.figures,
                replaced=replaced,
                forgotten=numbers,
            )
            self._sweep()

        self._durably(space.needed([], frames, trials), forget, number)

    def _make_room(self, paths: Iterable[str]) -> None:
        """Removes folders that damage has put where files are to be."""
        for path in (self._directory / path for path in paths):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)

    def _sound(self, files: Mapping[str, FileRow]) -> dict[str, FileRow]:
        """Those that are not known to be damaged."""
        return {path: f for path, f in files.items() if path not in self._damaged}

    def _fitting(
        self, frames: Mapping[str, pl.DataFrame | None]
    ) -> dict[str, pl.DataFrame]:
        """Returns the frames that have rows; raises ValueError if one does not fit."""
        fitting = {}
        for name, frame in frames.items():
            if frame is None:
                continue
            if not self._columns:
                raise ValueError(
                    f"the columns of table `{name}` must be fixed before its first row;"
                    " call `fix_schemas`"
                )
            tables.check_columns(name, frame.schema, self._columns[name])
            if frame.height:
                fitting[name] = frame.select(list(self._columns[name]))
        return fitting

    def _save(self, number: int, stacks: Sequence[Stack]) -> list[Saved]:
        saved = []
        for index, alike in enumerate(snapshots.alike(stacks), len(self._ahead)):
            path = f"{snapshots.FOLDER}/{number:06d}-{index}.npz"
            sha256 = snapshots.save(durable.draft(self._directory, path), alike)
            durable.publish(self._directory, path)
            entries = [entry for stack in alike for entry in stack.entries]
            places = [Place(entry, path, i) for i, entry in enumerate(entries)]
            file = FileRow(path=path, rows=len(entries), sha256=sha256)
            saved.append(Saved(file, places))
        return saved

    def _append(self, number: int, frames: Mapping[str, pl.DataFrame]) -> list[FileRow]:
        return [
            tables.write_part(self._directory, name, number, frame)
            for name, frame in frames.items()
        ]

    def _sweep(self) -> None:
        named = {*database.named_paths(self._connection), *self._ahead}
        for folder in _FOLDERS:
            for path in (self._directory / folder).iterdir():
                if f"{folder}/{path.name}" in named:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()


_FOLDERS = ("tmp", *lost.FOLDERS)
