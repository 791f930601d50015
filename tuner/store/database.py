"""The ledger in SQLite: one transaction acknowledges a commit, and nothing else does.

It keeps a rollback journal and no WAL, which can be read neither from a read-only place
nor from a copy. SQLite does not notice a flipped bit, so each row ends in a checksum,
and the row of the run says how many rows the other tables have.
"""

import json
import math
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from tuner.store.durable import DamagedError
from tuner.store.ledger import FileRow, Ledger, Place, Share, TrialRow
from tuner.store.snapshots import Entry

NAME = "trials.sqlite"
FORMAT = 2


def read(directory: Path) -> Ledger | None:
    """Returns the ledger, every row verified, or None where there is none yet."""
    path = directory / NAME
    if not path.exists():
        return None
    try:
        tables = _fetch(path)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_DAMAGE:
            raise
        raise DamagedError(path, f"is no sound database ({error})", _ALL) from error
    return _decode(path, tables) if tables else None


@contextmanager
def writing(directory: Path) -> Iterator[sqlite3.Connection]:
    """Opens the ledger for the one writer; makes it where there is none."""
    with _connect(directory / NAME, mode="rwc") as connection:
        connection.execute("pragma journal_mode = delete")
        # FULL would not flush the folder after a commit: a power cut could undo it.
        connection.execute("pragma synchronous = extra")
        connection.execute("pragma fullfsync = 1")  # of effect on macOS only
        if not _tables(connection):
            with _transaction(connection):
                for table in _SCHEMA:
                    connection.execute(table)
                _put_run(connection, number=0, figures={})
        yield connection


def last_number(connection: sqlite3.Connection) -> int:
    """The number of the last commit; 0 before the first."""
    return connection.execute("select number from run").fetchone()[0]


def named_paths(connection: sqlite3.Connection) -> set[str]:
    """The parts and snapshots that the ledger names."""
    return {path for (path,) in connection.execute("select path from files")}


def add_files(connection: sqlite3.Connection, files: Sequence[FileRow]) -> None:
    """Names files between two commits."""
    number, figures = connection.execute("select number, figures from run").fetchone()
    with _transaction(connection):
        _put(connection, "files", map(_file_values, files))
        _put_run(connection, number=number, figures=json.loads(figures))


def record_commit(
    connection: sqlite3.Connection,
    *,
    number: int,
    trials: Sequence[TrialRow],
    files: Sequence[FileRow],
    places: Sequence[Place],
    figures: Mapping[str, Any],
    shares: Sequence[Share] = (),
    replaced: Sequence[str] = (),
    forgotten: Sequence[int] = (),
) -> None:
    """Acknowledges a commit.

    Files `replaced` are named no more, and states of trials `forgotten` neither. A
    trial replaces its row, a state the one of the same trial and kind; what `shares`
    name is what was there before. The running state of a trial that runs no more is
    forgotten, and so is a snapshot in which no state lies any more.

    Raises:
        LookupError: where a state to be shared is not there.
    """
    with _transaction(connection):
        for path in replaced:
            connection.execute("delete from files where path = ?", (path,))
        for trial in forgotten:
            connection.execute("delete from entries where trial = ?", (trial,))
        _put(connection, "trials", map(_trial_values, trials))
        _put(connection, "files", map(_file_values, files))
        for share in shares:
            _put(connection, "entries", [_shared_values(connection, share)])
        _put(connection, "entries", map(_place_values, places))
        connection.execute(
            "delete from entries where what = 'running' and trial not in"
            " (select trial from trials where status = 'running')"
        )
        connection.execute(
            "delete from files where path like 'snapshots/%'"
            " and path not in (select path from entries)"
        )
        _put_run(connection, number=number, figures=figures)


_SCHEMA = (
    """create table run (
        id integer primary key check (id = 0),
        format integer not null,
        number integer not null,
        figures text not null,
        trials integer not null,
        files integer not null,
        entries integer not null,
        checksum integer not null
    ) strict""",
    """create table trials (
        trial integer primary key,
        sample integer not null,
        replicate integer not null,
        round integer not null,
        "group" text not null,
        parent integer,
        extend text,
        control integer not null,
        resumed_from integer,
        start_step integer not null,
        resume text not null,
        status text not null,
        max_train_steps integer not null,
        step integer not null,
        best_step integer,
        best_objective real,
        final_objective real,
        diverged_step integer,
        diverged_learning_rate real,
        combination text not null,
        hyperparams text not null,
        schedule text not null,
        note text not null,
        checksum integer not null
    ) strict""",
    """create table files (
        path text primary key,
        rows integer not null,
        sha256 text not null,
        empty text not null,
        checksum integer not null
    ) strict""",
    """create table entries (
        trial integer not null,
        what text not null,
        step integer not null,
        path text not null,
        row integer not null,
        checksum integer not null,
        primary key (trial, what)
    ) strict""",
)
_COUNTED = ("trials", "files", "entries")
_TRIAL = tuple(field.name for field in fields(TrialRow))
_REALS = ("best_objective", "final_objective", "diverged_learning_rate")
_TEXTS = ("hyperparams", "schedule")  # JSON
_TRUTHS = ("control",)

_ALL = "what the run's ledger says"
_NO_DAMAGE = (  # of the low byte of SQLite's error codes
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)


@contextmanager
def _connect(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        address,
        uri=True,
        isolation_level=None,
        timeout=30,
        check_same_thread=False,  # a writer may commit from a thread, one at a time
    )
    with closing(connection):
        yield connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    with connection:  # commits at its end, rolls back on an error
        connection.execute("begin immediate")
        yield


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("select name from sqlite_master where type = 'table'")
    return [name for (name,) in rows]


def _put(connection: sqlite3.Connection, table: str, rows: Iterable[tuple]) -> None:
    for row in rows:
        marks = ", ".join("?" * (len(row) + 1))
        statement = f"insert or replace into {table} values ({marks})"
        connection.execute(statement, (*row, _checksum(row)))


def _put_run(
    connection: sqlite3.Connection, *, number: int, figures: Mapping[str, Any]
) -> None:
    counts = [
        connection.execute(f"select count(*) from {table}").fetchone()[0]
        for table in _COUNTED
    ]
    _put(connection, "run", [(0, FORMAT, number, _json(figures), *counts)])


def _trial_values(trial: TrialRow) -> tuple:
    values = {name: getattr(trial, name) for name in _TRIAL}
    values |= {name: _real(values[name]) for name in _REALS}
    values |= {name: _json(values[name]) for name in _TEXTS}
    values |= {name: int(values[name]) for name in _TRUTHS}
    return tuple(values.values())


def _file_values(file: FileRow) -> tuple:
    return file.path, file.rows, _json(file.sha256), _json(file.empty)


def _place_values(place: Place) -> tuple:
    entry = place.entry
    return entry.trial, entry.what, entry.step, place.path, place.row


def _shared_values(connection: sqlite3.Connection, share: Share) -> tuple:
    found = connection.execute(
        "select path, row from entries where trial = ? and what = ? and step = ?",
        (share.of_trial, share.of_what, share.step),
    ).fetchone()
    if found is None:
        raise LookupError(
            "a state to be shared must be kept already, but trial "
            f"{share.of_trial} keeps no {share.of_what!r} of step {share.step} for "
            f"trial {share.trial}"
        )
    return share.trial, share.what, share.step, *found


def _real(value: float | None) -> float | None:
    """The number as SQLite gives it back: it knows no NaN and makes 0.0 of -0.0."""
    return None if value is None or math.isnan(value) else float(value) + 0.0


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), allow_nan=False)


def _checksum(values: Sequence[Any]) -> int:
    return zlib.crc32(repr(tuple(values)).encode())


def _fetch(path: Path) -> dict[str, list[tuple]]:
    try:
        return _select(path, mode="ro")
    except sqlite3.OperationalError:
        # A killed writer may have left a journal, and to roll it back is to write.
        return _select(path, mode="rw")


def _select(path: Path, mode: str) -> dict[str, list[tuple]]:
    with _connect(path, mode) as connection:
        connection.execute("begin")  # all tables as they are at one moment
        if not _tables(connection):
            return {}
        return {
            table: connection.execute(f"select * from {table}").fetchall()
            for table in ("run", *_COUNTED)
        }


def _decode(path: Path, tables: Mapping[str, list[tuple]]) -> Ledger:
    [(_, version, number, figures, *counts)] = _verified(path, "run", tables["run"], 1)
    if version != FORMAT:
        raise ValueError(
            f"the ledger's format must be {FORMAT}, but `{path}` has format {version};"
            " read it with the version of jax-tuner that wrote it"
        )
    trials, files, entries = (
        _verified(path, table, tables[table], count)
        for table, count in zip(_COUNTED, counts, strict=True)
    )
    return Ledger(
        number=number,
        trials=tuple(map(_trial, sorted(trials))),
        figures=json.loads(figures),
        files={file.path: file for file in map(_file, sorted(files))},
        entries=tuple(map(_place, sorted(entries))),
    )


def _verified(path: Path, table: str, rows: list[tuple], count: int) -> list[tuple]:
    """Returns the rows without their checksums; raises DamagedError unless all hold."""
    for *values, checksum in rows:
        if _checksum(values) != checksum:
            damage = f"has a row of `{table}` that does not match its checksum"
            raise DamagedError(path, damage, f"the row of {values[0]!r}")
    if len(set(rows)) != count:
        damage = f"must hold {count} rows in `{table}`, but holds {len(set(rows))}"
        raise DamagedError(path, damage, f"the table `{table}`")
    return [row[:-1] for row in rows]


def _trial(row: tuple) -> TrialRow:
    values = dict(zip(_TRIAL, row, strict=True))
    values |= {name: json.loads(values[name]) for name in _TEXTS}
    values |= {name: bool(values[name]) for name in _TRUTHS}
    return TrialRow(**values)


def _file(row: tuple) -> FileRow:
    path, rows, sha256, empty = row
    return FileRow(
        path=path, rows=rows, sha256=json.loads(sha256), empty=json.loads(empty)
    )


def _place(row: tuple) -> Place:
    trial, what, step, path, index = row
    return Place(Entry(trial=trial, what=what, step=step), path, index)
