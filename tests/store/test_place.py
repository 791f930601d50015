"""A directory that goes away, or can no longer be written, while its run is written."""

import errno
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import polars as pl
import pytest
from mounts import mounted_disk

from tuner.store import database, durable, verdict
from tuner.store.place import UnwritableError
from tuner.store.reader import read_ledger
from tuner.store.writer import Commit, Writer

SCHEMA = {"trial": pl.Int32, "step": pl.Int32, "loss": pl.Float32}
GOES_ON = "and type the same command: it goes on from the last commit"


@pytest.fixture
def commit(row, stack, frame):
    return Commit(train=frame([1], range(1, 4)), trials=[row(1, step=3)])


@pytest.fixture
def run(tmp_path, commit):
    """The directory of a run of one commit, and its writer."""
    with Writer(tmp_path / "run") as writer:
        writer.write_definition({"name": "digits"})
        writer.fix_schemas(train=SCHEMA, valid=SCHEMA)
        writer.commit(commit)
        yield tmp_path / "run", writer


def test_a_directory_that_has_gone_is_named(run, commit):
    directory, writer = run
    moved = directory.rename(directory.with_name("elsewhere"))
    message = f"`{directory}` must stay in its place .*, but it is gone; put it back"
    for write in (
        lambda: writer.commit(commit),
        lambda: writer.restart([]),
        lambda: writer.write_definition({}),
    ):
        with pytest.raises(UnwritableError, match=message) as caught:
            write()
    assert str(caught.value).endswith(GOES_ON)
    assert not directory.exists()
    assert read_ledger(moved).number == 1


def test_it_goes_on_where_the_directory_is_put_back(run, commit):
    directory, writer = run
    moved = directory.rename(directory.with_name("elsewhere"))
    with pytest.raises(UnwritableError):
        writer.commit(commit)
    moved.rename(directory)
    writer.commit(commit)
    assert read_ledger(directory).number == 2


def test_what_was_put_in_a_directory_s_place_is_not_touched(run, commit):
    directory, writer = run
    copied = shutil.copytree(directory, directory.with_name("copy"))
    directory.rename(directory.with_name("elsewhere"))
    copied.rename(directory)
    (directory / "tmp" / "another's draft").touch()
    message = "another run was put in its place; put its own back"
    with pytest.raises(UnwritableError, match=message):
        writer.commit(commit)
    assert read_ledger(directory).number == 1
    assert (directory / "tmp" / "another's draft").exists()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(errno.EROFS, "Read-only file system"), "its file system is read-only"),
        (PermissionError(errno.EACCES, "Denied", "there"), "may not write `there`"),
        (OSError(errno.EIO, "Input/output error"), "its disk or network drive fails"),
        (OSError(errno.ESTALE, "Stale file handle"), "its disk or network drive fails"),
    ],
)
def test_a_write_that_fails_says_why_and_loses_nothing(
    run, commit, monkeypatch, error, why
):
    directory, writer = run

    def fail(path):
        raise error

    monkeypatch.setattr(durable, "flush", fail)
    with pytest.raises(UnwritableError, match=f"`{directory}` must .*{why}") as caught:
        writer.commit(commit)
    assert str(caught.value).endswith(GOES_ON)
    monkeypatch.undo()
    assert read_ledger(directory).number == 1
    writer.commit(commit)


def test_a_ledger_that_cannot_be_written_says_so(run, commit, monkeypatch):
    directory, writer = run
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(database, "record_commit", fail)
    with pytest.raises(UnwritableError, match=f"this user may not write `{directory}`"):
        writer.commit(commit)


def test_permissions_taken_away_are_named(run, commit):
    directory, writer = run
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    (directory / "tmp").chmod(0o500)
    with pytest.raises(UnwritableError, match=r"this user may not write `.*tmp"):
        writer.commit(commit)
    (directory / "tmp").chmod(0o700)
    writer.commit(commit)


@pytest.fixture
def mounted(tmp_path):
    """A file system that can be made read-only."""
    with mounted_disk(tmp_path / "disk", "4m") as place:
        yield place


def test_a_read_only_file_system_refuses_a_run_and_its_beginning(mounted):
    Writer(mounted / "run").close()
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    for directory in (mounted / "run", mounted / "new" / "run"):
        message = f"`{directory}` must .*, but its file system is read-only; mount it"
        with pytest.raises(UnwritableError, match=message):
            Writer(directory)


def test_no_permission_to_begin_is_named(tmp_path, monkeypatch):
    def mkdir(self, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    run = tmp_path / "run"
    with pytest.raises(
        UnwritableError, match=f"may not write `{run}`; give permission"
    ):
        Writer(run)


def test_a_verdict_that_finds_no_room_says_so(tmp_path, monkeypatch):
    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(UnwritableError, match="its disk is full; make room"):
        verdict.write(tmp_path, {})
