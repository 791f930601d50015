"""Every file of a run held against the ledger: what is sound, damaged, lost, unnamed.

What a damaged file held is told by what is sound beside it. The ledger says which
states lay in a snapshot. Whose rows lay in a part is known from those that are left: a
trial has one of each step in `train`, so where some are missing they are lost; and a
part of `valid` has rows of no other trials than the part of `train` written with it.
"""

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tuner.store import database, definition, durable, lock, lost, snapshots, tables
from tuner.store import verdict as verdicts
from tuner.store.durable import DamagedError
from tuner.store.ledger import Ledger, TrialRow

LEDGER, DEFINITION = database.NAME, definition.NAME
VERDICT = f"{verdicts.FOLDER}/{verdicts.NAME}"
HEADS = (DEFINITION, LEDGER, VERDICT)  # files that no row names, and that are checked

# Nothing that is read rests on these.
_UNCHECKED = ("lock", "report.html", database.JOURNAL)
_UNCHECKED_FOLDERS = ("profile", verdicts.FOLDER)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Damage:
    """A file that is not as it was written.

    Attributes:
        path: in the run's directory.
        damage: what is wrong with it, as in "`path` is missing".
        lost: what cannot be read without it.
        trials: whose records those are.
    """

    path: str
    damage: str
    lost: str
    trials: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Audit:
    """What was found in a run's directory.

    Attributes:
        directory: of the run.
        sound: files that are as they were written.
        damaged: those that are not, or are gone.
        unnamed: files that no row of the ledger names, and nothing reads.
        ledger: what is acknowledged; None where that cannot be read.
        is_running: whether a process writes the run: what is unnamed may be its own.
    """

    directory: Path
    sound: tuple[str, ...]
    damaged: tuple[Damage, ...]
    unnamed: tuple[str, ...]
    ledger: Ledger | None
    is_running: bool

    @property
    def is_sound(self) -> bool:
        """Whether all that was acknowledged is there, as it was written."""
        return not self.damaged

    @property
    def is_beyond_repair(self) -> bool:
        """Whether what says which records there are is lost."""
        return any(damage.path in (LEDGER, DEFINITION) for damage in self.damaged)

    @property
    def trials(self) -> tuple[int, ...]:
        """Those of whose records some are lost."""
        return tuple(sorted({t for damage in self.damaged for t in damage.trials}))


def check_files(directory: str | Path) -> Audit:
    """Hold every file of a run against the ledger; whoever writes it is not disturbed.

    Raises:
        FileNotFoundError: where there is no run.
        FormatError: for a run of another format.
        OSError: where a file cannot be read now.
    """
    directory = Path(directory)
    heads = (directory / name for name in (LEDGER, DEFINITION))
    if not any(head.exists() for head in heads) and not lost.is_left(directory):
        raise FileNotFoundError(
            f"{directory} holds no run (there is no {DEFINITION}): pass the directory "
            "given to `tuner run --dir`"
        )
    is_running = lock.is_held(directory)
    sound, damaged, ledger = _check_heads(directory)
    unnamed: Sequence[str] = ()
    if ledger is not None:
        unnamed = sorted(_unnamed(directory, ledger))
        sound += ledger.files
        damaged += _current(directory, _check_named(directory, ledger))
    bad = {damage.path for damage in damaged}
    return Audit(
        directory=directory,
        sound=tuple(path for path in sound if path not in bad),
        damaged=tuple(damaged),
        unnamed=tuple(unnamed),
        ledger=ledger,
        is_running=is_running,
    )


def _check_heads(directory: Path) -> tuple[list[str], list[Damage], Ledger | None]:
    """The files that no row names: those there are, what is damaged, and the ledger."""
    readers: dict[str, Callable[[Path], Any]] = {
        DEFINITION: _read_definition,
        VERDICT: verdicts.read,
        LEDGER: _read_ledger,
    }
    there, damaged, read = [], [], {}
    for path, reader in readers.items():
        try:
            read[path] = reader(directory)
        except DamagedError as error:
            damaged.append(Damage(path=path, damage=error.damage, lost=error.lost))
        else:
            there += [path] if read[path] is not None else []
    return there, damaged, read.get(LEDGER)


def _read_definition(directory: Path) -> dict[str, Any] | None:
    lost.check_definition(directory)
    there = (directory / DEFINITION).exists()  # a run killed at its birth has none
    return definition.read(directory) if there else None


def _read_ledger(directory: Path) -> Ledger:
    ledger = database.read(directory)
    if ledger is None:
        lost.check_ledger(directory)
        raise FileNotFoundError(f"{directory} holds no run yet: nothing is recorded")
    return ledger


def _check_named(directory: Path, ledger: Ledger) -> list[Damage]:
    """The damage to the files that rows name, and what it means."""
    damaged = []
    for path, file in ledger.files.items():
        try:
            durable.read_verified(directory, path, file.sha256, "")
        except DamagedError as error:
            damaged.append(Damage(path=path, damage=error.damage, lost=""))
    if not damaged:
        return []
    whose = _Whose(directory, ledger, {damage.path for damage in damaged})
    return [whose.told(damage) for damage in damaged]


def _current(directory: Path, damaged: list[Damage]) -> list[Damage]:
    """Without what a commit has removed meanwhile, as newer states replaced it.

    The ledger forgets a file before it is removed: one that is named still was there.
    """
    newer = database.read(directory) if damaged else None
    return [damage for damage in damaged if newer and damage.path in newer.files]


class _Whose:
    """Says what lay in damaged files, and whose it was."""

    def __init__(self, directory: Path, ledger: Ledger, damaged: set[str]) -> None:
        self._ledger = ledger
        self._parts = {  # what sound parts hold, by their paths
            path: tables.rows_by_trial(directory, file)
            for path, file in ledger.files.items()
            if path not in damaged and not path.startswith(f"{snapshots.FOLDER}/")
        }
        left: Counter[int] = Counter()
        for path, rows in self._parts.items():
            if path.startswith(f"{tables.folder('train')}/"):
                left.update(rows)
        self._short = [r.trial for r in ledger.trials if left[r.trial] < _own_steps(r)]

    def told(self, damage: Damage) -> Damage:
        """The same, with what was lost by it."""
        trials: Iterable[int] = ()
        if damage.path.startswith(f"{snapshots.FOLDER}/"):
            entries = [p.entry for p in self._ledger.entries if p.path == damage.path]
            states = ", ".join(f"{e.what} of trial {e.trial}" for e in entries)
            lost, trials = f"states: {states}", {entry.trial for entry in entries}
        elif rows := self._ledger.files[damage.path].rows:
            lost = f"{rows} rows of table `{_table(damage.path)}`"
            beside = f"{tables.folder('train')}/{PurePosixPath(damage.path).name}"
            trials = self._parts.get(beside, self._short)
        else:
            lost = f"the columns of table `{_table(damage.path)}`"
        return dataclasses.replace(damage, lost=lost, trials=tuple(sorted(trials)))


def _table(path: str) -> str:
    return PurePosixPath(path).parent.name


def _own_steps(row: TrialRow) -> int:
    return row.step - row.start_step


def _unnamed(directory: Path, ledger: Ledger) -> Iterator[str]:
    known = {*HEADS, *_UNCHECKED, *ledger.files}
    for folder, folders, files in os.walk(directory):
        at = Path(folder).relative_to(directory)
        if at == Path():
            folders[:] = [name for name in folders if name not in _UNCHECKED_FOLDERS]
        links = [name for name in folders if (directory / at / name).is_symlink()]
        for name in [*files, *links]:
            if (path := (at / name).as_posix()) not in known:
                yield path
