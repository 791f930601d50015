"""A disk that is full at any write of a run, and then has room again."""

import errno
import sqlite3
from pathlib import Path

import polars as pl
import pytest
from contents import contents, strangers

from tuner.store import database, durable, snapshots, space
from tuner.store.space import FullDiskError
from tuner.store.writer import Commit, Writer

SCHEMA = {"trial": pl.Int32, "step": pl.Int32, "loss": pl.Float32}
NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
NO_QUOTA = OSError(errno.EDQUOT, "Disk quota exceeded")
ANOTHER = ValueError("Error writing")  # which may be the disk's: only a probe tells
LEDGER = sqlite3.OperationalError("database or disk is full")
LEDGER.sqlite_errorcode = sqlite3.SQLITE_FULL


class Disk:
    """Full from one of its writes on, until there is room.

    Attributes:
        left: how many writes there are before it is full; None for no end.
        writes: how many were tried.
    """

    def __init__(self) -> None:
        self.left, self.writes = None, 0

    @property
    def is_full(self):
        return self.left is not None and self.left <= 0

    def writing(self, function, error):
        """The function, which fails while the disk is full."""

        def wrapped(*args, **options):
            self.writes += 1
            if self.is_full:
                raise error
            if self.left is not None:
                self.left -= 1
            return function(*args, **options)

        return wrapped


@pytest.fixture
def disk(monkeypatch):
    disk = Disk()
    for module, name, function, error in [
        (Path, "write_bytes", Path.write_bytes, NO_SPACE),
        (durable, "flush", lambda path: None, NO_QUOTA),
        (snapshots, "save", snapshots.save, ANOTHER),
        (database, "add_files", database.add_files, LEDGER),
        (database, "record_commit", database.record_commit, LEDGER),
    ]:
        monkeypatch.setattr(module, name, disk.writing(function, error))
    monkeypatch.setattr(space, "_probe_fails", lambda *_: disk.is_full)
    return disk


@pytest.fixture
def commits(row, stack, frame):
    return [
        Commit(
            train=frame([1], range(1, 4)),
            valid=frame([1], range(3, 4)),
            trials=[row(1, step=3)],
            running=[stack("running", {1: 3})],
        ),
        Commit(
            train=frame([1], range(4, 7)),
            trials=[row(1, step=6, status="complete"), row(2, step=3)],
            kept=[stack("best", {1: 4}), stack("last", {1: 6})],
            running=[stack("running", {2: 3})],
        ),
    ]


def test_where_a_disk_is_full_at_any_write_the_run_ends_the_same(
    tmp_path, disk, commits, row
):
    asked = []

    def make_room(full):
        asked.append(full.directory)
        disk.left = None

    def run(directory, writes):
        asked.clear()
        with Writer(directory) as writer:
            writer.on_full = make_room
            disk.left, disk.writes = writes, 0
            writer.write_definition({"name": "digits"})
            writer.fix_schemas(train=SCHEMA, valid=SCHEMA)
            for commit in commits:
                writer.commit(commit)
            writer.restart([row(1, step=0, status="waiting")])
        return contents(directory)

    expected, num_writes = run(tmp_path / "whole", None), disk.writes
    assert num_writes > 30
    for writes in range(num_writes):
        directory = tmp_path / str(writes)
        assert run(directory, writes) == expected
        assert asked == [directory]
        assert strangers(directory) == set()


def test_without_patience_a_full_disk_is_an_error_and_the_next_commit_is_sound(
    tmp_path, disk, commits
):
    with Writer(tmp_path) as writer:
        writer.write_definition({"name": "digits"})
        writer.fix_schemas(train=SCHEMA, valid=SCHEMA)
        writer.commit(commits[0])
        before = contents(tmp_path)
        disk.left = 3
        with pytest.raises(FullDiskError, match="must have"):
            writer.commit(commits[1])
        assert contents(tmp_path) == before
        disk.left = None
        writer.commit(commits[1])
        assert contents(tmp_path)["number"] == 2


def test_what_was_acknowledged_is_not_done_again(
    tmp_path, writer, commits, monkeypatch
):
    """A failure can follow the ledger's transaction."""
    record = database.record_commit

    def record_and_fail(*args, **options):
        record(*args, **options)
        raise NO_SPACE

    monkeypatch.setattr(database, "record_commit", record_and_fail)
    writer.write_definition({"name": "digits"})
    writer.on_full = lambda full: None
    writer.commit(commits[0])
    assert contents(tmp_path)["train"] == commits[0].train.rows()
    assert contents(tmp_path)["number"] == 1


def test_room_is_asked_for_before_anything_is_written(writer, commits, monkeypatch):
    commit = commits[0]
    frames = {"train": commit.train, "valid": commit.valid}
    needed = space.needed(commit.running, frames, commit.trials)
    monkeypatch.setattr(Path, "write_bytes", None)
    monkeypatch.setattr(space, "_left", lambda _: (needed - 1, 1000))
    with pytest.raises(FullDiskError) as caught:
        writer.commit(commit)
    assert caught.value.needed == needed
    monkeypatch.setattr(space, "_left", lambda _: (needed, space.FILES - 1))
    with pytest.raises(FullDiskError):
        writer.commit(commit)


@pytest.mark.parametrize(
    ("free", "has"),
    [(1_090_000, "has 1.09 MB"), (5e9, "gives no more, as by a quota")],
)
def test_a_full_disk_says_how_much_it_needs(tmp_path, monkeypatch, free, has):
    monkeypatch.setattr(space, "_left", lambda _: (free, 1000))
    full = FullDiskError(tmp_path, 2_100_000_000)
    assert full.errno == errno.ENOSPC
    assert str(full) == (
        f"the disk of `{tmp_path}` must have 2.1 GB free for what is to be written "
        f"next, but {has}; make room there"
    )


def test_another_failure_is_not_taken_for_a_full_disk(writer, commits, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no such luck")

    monkeypatch.setattr(database, "record_commit", fail)
    with pytest.raises(ValueError, match="no such luck"):
        writer.commit(commits[0])


def test_a_disk_whose_size_nobody_knows_is_tried(tmp_path, monkeypatch):
    class Unknown:
        f_blocks = f_files = f_bavail = f_favail = 0

    monkeypatch.setattr(space.os, "statvfs", lambda _: Unknown)
    space.check(tmp_path, 2**40)


def test_a_probe_leaves_nothing(tmp_path):
    (tmp_path / "tmp").mkdir()
    assert space.has_room(tmp_path, 3 * 2**20 + 1)
    assert list((tmp_path / "tmp").iterdir()) == []
