"""A run where files have no locks: neither its writer nor its readers ask for one."""

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from tuner.store import unlocked
from tuner.store.reader import read_ledger, read_table
from tuner.store.writer import Commit, Writer

SCHEMA = {"trial": pl.Int32, "step": pl.Int32, "loss": pl.Float32}


@pytest.fixture
def writer(tmp_path):
    with Writer(tmp_path, locked=False) as writer:
        writer.fix_schemas(train=SCHEMA, valid=SCHEMA)
        yield writer


def test_no_lock_of_the_ledger_is_asked_for(tmp_path, writer, row, frame):
    """Another process that has them all keeps nobody waiting."""
    with closing(sqlite3.connect(tmp_path / "trials.sqlite")) as other:
        other.execute("begin exclusive")
        writer.commit(Commit(trials=[row(1)], train=frame([1], range(1, 4))))
        assert read_ledger(tmp_path).trials == (row(1),)
        assert read_table(tmp_path, "train").height == 3


def test_a_commit_cut_off_is_not_read(tmp_path, writer, row):
    """What lies there in the middle of a transaction is what a crash leaves."""
    writer.commit(Commit(trials=[row(1)]))
    before = read_ledger(tmp_path)
    with closing(sqlite3.connect(tmp_path / "trials.sqlite")) as other:
        other.execute("pragma cache_size = 1")  # pages go to the disk at once
        other.execute("begin immediate")
        other.execute("create table more (text)")
        for _ in range(50):
            other.execute("insert into more values (?)", ("x" * 4000,))
        other.execute("delete from trials")
        assert Path(tmp_path, "trials.sqlite-journal").stat().st_size > 0
        assert read_ledger(tmp_path) == before
        assert Path(tmp_path, "trials.sqlite-journal").exists()


def test_what_is_written_all_the_time_is_not_read(tmp_path, writer, monkeypatch):
    pauses, copyfile = [], unlocked.shutil.copyfile

    def copy_while_written(source, to):
        copyfile(source, to)
        Path(source).touch()

    monkeypatch.setattr(unlocked.shutil, "copyfile", copy_while_written)
    monkeypatch.setattr(unlocked.time, "sleep", pauses.append)
    with pytest.raises(OSError, match="but is written too often; read it again"):
        read_ledger(tmp_path)
    assert len(pauses) == unlocked.TRIES


def test_a_run_begun_without_locks_goes_on_with_them(tmp_path, writer, row):
    writer.commit(Commit(trials=[row(1)]))
    writer.close()
    with Writer(tmp_path) as locked:
        locked.commit(Commit(trials=[row(2)]))
    assert read_ledger(tmp_path).trials == (row(1), row(2))
