"""The ledger in SQLite: one transaction acknowledges a commit, and nothing else does.

It keeps a rollback journal and no WAL, which can be read neither from a read-only place
nor from a copy. SQLite does not notice a flipped bit, so each row ends in a checksum,
and the row of the run says how many rows the other tables have, and the sums of theirs;
its indices, by which a writer finds rows, are held against the tables.
"""

import collections
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tuner.store import lock, rows, unlocked
from tuner.store.durable import DamagedError, check_inside
from tuner.store.format import FORMAT, check_format
from tuner.store.ledger import FileRow, Ledger, Place, Share, TrialRow

NAME = "trials.sqlite"
JOURNAL = f"{NAME}-journal"  # there during a commit, and after a kill in one


def read(directory: Path) -> Ledger | None:
    """Returns the ledger, every row verified, or None where there is none yet.

    Raises:
        DamagedError: it is not as it was written.
        FormatError: it is of another format.
        OSError: it cannot be read now.
    """
    path = directory / NAME
    if not path.exists():
        return None
    for name in (NAME, JOURNAL):
        check_inside(directory, name, _ALL)
        if (directory / name).is_dir():
            raise DamagedError(directory / name, "is no file", _ALL)
    try:
        tables = _fetch(path)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_DAMAGE:
            raise OSError(f"`{path}` cannot be read now ({error})") from error
        raise _unsound(path, error) from error
    return _decode(path, tables) if tables else None


@contextmanager
def writing(directory: Path, *, locked: bool = True) -> Iterator[sqlite3.Connection]:
    """Opens the ledger for the one writer; makes it where there is none."""
    mode = "rwc" if locked else "rwc&nolock=1"
    with _connect(directory / NAME, mode) as connection:
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


def sparse_snapshots(
    connection: sqlite3.Connection, ending: Collection[tuple[int, str]]
) -> list[str]:
    """Returns the snapshots of which less than half counts, but something.

    Args:
        connection: the writer's.
        ending: states that do not, each a trial and what it is kept as.
    """
    living = collections.defaultdict(set)
    query = "select trial, what, path, row from entries where what != 'running'"
    for trial, what, path, row in connection.execute(query):
        if (trial, what) not in ending:
            living[path].add(row)
    sizes = dict(connection.execute("select path, rows from files"))
    return [path for path, alive in living.items() if 2 * len(alive) < sizes[path]]


def add_files(connection: sqlite3.Connection, files: Sequence[FileRow]) -> None:
    """Names files between two commits."""
    number, figures = connection.execute("select number, figures from run").fetchone()
    with _transaction(connection):
        _put(connection, "files", map(rows.file_values, files))
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
    dropped: Sequence[tuple[int, str]] = (),
) -> None:
    """Acknowledges a commit.

    Files `replaced` are named no more, and states of trials `forgotten` or `dropped`,
    each a trial and what it is kept as, neither. A trial replaces its row, a state the
    one of the same trial and kind; what `shares` name is what was there before. The
    running state of a trial that runs no more is forgotten, and so is a snapshot in
    which no state lies any more.

    Raises:
        LookupError: where a state to be shared is not there.
    """
    with _transaction(connection):
        for path in replaced:
            connection.execute("delete from files where path = ?", (path,))
        for trial in forgotten:
            connection.execute("delete from entries where trial = ?", (trial,))
        _put(connection, "trials", map(rows.trial_values, trials))
        _put(connection, "files", map(rows.file_values, files))
        for share in shares:
            _put(connection, "entries", [_shared_values(connection, share)])
        _put(connection, "entries", map(rows.place_values, places))
        connection.executemany(
            "delete from entries where trial = ? and what = ?", dropped
        )
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
        trials_sum integer not null,
        files integer not null,
        files_sum integer not null,
        entries integer not null,
        entries_sum integer not null,
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


def _put(connection: sqlite3.Connection, table: str, values: Iterable[tuple]) -> None:
    for row in values:
        marks = ", ".join("?" * (len(row) + 1))
        statement = f"insert or replace into {table} values ({marks})"
        connection.execute(statement, (*row, rows.checksum(row)))


def _put_run(
    connection: sqlite3.Connection, *, number: int, figures: Mapping[str, Any]
) -> None:
    """Writes the row that says how many rows there are, and the sums of checksums."""
    totals = [total for table in _COUNTED for total in _totals(connection, table)]
    row = (0, FORMAT, number, rows.as_json(figures), *totals)
    _put(connection, "run", [row])


def _totals(connection: sqlite3.Connection, table: str) -> tuple[int, int]:
    statement = f"select count(*), ifnull(sum(checksum), 0) from {table}"
    return connection.execute(statement).fetchone()


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


def _fetch(path: Path) -> dict[str, list[tuple]]:
    if not lock.is_locked(path.parent):
        with unlocked.copied(path) as copy:
            return _select(path, copy, mode="rw&nolock=1")
    try:
        return _select(path, path, mode="ro")
    except sqlite3.OperationalError:
        # A killed writer may have left a journal, and to roll it back is to write.
        return _select(path, path, mode="rw")


def _select(path: Path, lying_at: Path, mode: str) -> dict[str, list[tuple]]:
    with _connect(lying_at, mode) as connection:
        connection.execute("begin")  # all tables as they are at one moment
        if not _tables(connection):
            return {}
        run = connection.execute("select * from run").fetchall()
        [(_, version, *_)] = _verified(path, "run", run, 1)
        check_format(path, version)
        tables = {
            table: connection.execute(f"select * from {table}").fetchall()
            for table in _COUNTED
        }
        [(said,)] = connection.execute("pragma integrity_check(1)")
    if said != "ok":  # as of an index, by which a writer finds rows
        raise _unsound(path, said)
    return {"run": run, **tables}


def _unsound(path: Path, said: object) -> DamagedError:
    """What SQLite finds wrong, on one line."""
    line = " ".join(str(said).split())
    return DamagedError(path, f"is no sound database ({line})", _ALL)


def _decode(path: Path, tables: Mapping[str, list[tuple]]) -> Ledger:
    [(_, _, number, figures, *totals, _)] = tables["run"]
    trials, files, entries = (
        _verified(path, table, tables[table], *totals[2 * i : 2 * i + 2])
        for i, table in enumerate(_COUNTED)
    )
    try:
        return Ledger(
            number=number,
            trials=tuple(map(rows.trial, sorted(trials))),
            figures=json.loads(figures),
            files={file.path: file for file in map(rows.file, sorted(files))},
            entries=tuple(map(rows.place, sorted(entries))),
        )
    except (ValueError, TypeError) as error:  # its sums are right: made by nobody here
        raise DamagedError(path, f"says what cannot be ({error})", _ALL) from error


def _verified(
    path: Path, table: str, found: list[tuple], count: int, total: int | None = None
) -> list[tuple]:
    """Returns the rows without their checksums; raises DamagedError unless all hold.

    Each may be sound and yet of another commit than the rest, after a journal that was
    damaged: so the sum of their checksums must be right too.
    """
    for *values, checksum in found:
        if rows.checksum(values) != checksum:
            damage = f"has a row of `{table}` that does not match its checksum"
            raise DamagedError(path, damage, f"the row of {values[0]!r}")
    different = set(found)
    if len(different) != count:
        damage = f"must hold {count} rows in `{table}`, but holds {len(different)}"
        raise DamagedError(path, damage, f"the table `{table}`")
    if total is not None and sum(row[-1] for row in found) != total:
        damage = f"has rows of several commits in `{table}`"
        raise DamagedError(path, damage, f"the table `{table}`")
    return [row[:-1] for row in found]
