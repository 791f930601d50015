import threading

import numpy as np
import polars as pl
import pytest

from tuner.rounds.committer import MOST_KEPT_BYTES, Committer
from tuner.store import space
from tuner.store.reader import read_ledger
from tuner.store.snapshots import Entry, Stack
from tuner.store.writer import Commit, Writer

SCHEMA = {"trial": pl.Int32, "step": pl.Int32}


@pytest.fixture
def writer(tmp_path):
    with Writer(tmp_path) as writer:
        writer.fix_schemas(SCHEMA, SCHEMA)
        yield writer


def test_commits_become_durable_in_order(tmp_path, writer):
    with Committer(writer) as committer:
        for number in range(1, 6):
            committer.submit(Commit(figures={"number": number}))
        committer.wait()
        ledger = read_ledger(tmp_path)
    assert (ledger.number, ledger.figures) == (5, {"number": 5})


def test_a_commit_that_failed_is_told_of_at_the_next(writer):
    wrong = pl.DataFrame({"trial": [1.5]})
    with Committer(writer) as committer:
        committer.submit(Commit(train=wrong))
        with pytest.raises(ValueError, match="column"):
            committer.submit(Commit())


def test_leaving_waits_for_what_was_handed_over(tmp_path, writer):
    with Committer(writer) as committer:
        committer.submit(Commit(figures={"number": 1}))
    assert read_ledger(tmp_path).number == 1


def test_none_is_due_while_one_is_written(writer, monkeypatch):
    """Each would wait for the one before, and training with it."""
    go_on, commit = threading.Event(), writer.commit

    def slow(self, *what):
        go_on.wait(timeout=60)
        commit(*what)

    monkeypatch.setattr(Writer, "commit", slow)
    with Committer(writer) as committer:
        assert committer.is_due()  # the first at once
        committer.submit(Commit())
        assert not committer.is_full(2**40)
        assert not committer.is_due()
        go_on.set()
        committer.wait()
        assert not committer.is_due()


def test_who_asks_whether_one_is_due_waits_with_one_that_waits_for_room(
    tmp_path, writer, monkeypatch
):
    """What is trained meanwhile could not be kept."""
    asked, go_on = threading.Event(), threading.Event()

    def wait(full):
        asked.set()
        go_on.wait(timeout=60)
        monkeypatch.undo()

    monkeypatch.setattr(space, "_left", lambda _: (0, 1000))
    writer.on_full = wait
    with Committer(writer) as committer:
        committer.submit(Commit())
        asked.wait(timeout=60)
        threading.Timer(0.1, go_on.set).start()
        committer.is_due()
        assert read_ledger(tmp_path).number == 1


def test_states_are_written_once_there_are_enough_of_them(writer):
    with Committer(writer) as committer:
        assert not committer.is_full(MOST_KEPT_BYTES - 1)
        assert committer.is_full(MOST_KEPT_BYTES)


def test_states_saved_ahead_come_with_the_next_commit(tmp_path, writer):
    with Committer(writer) as committer:
        committer.save([stack(1)])
        committer.save([stack(2)])
        committer.wait()
        assert len(list(tmp_path.glob("snapshots/*"))) == 2
        assert not read_ledger(tmp_path).entries
        committer.submit(Commit(kept=[stack(3)]))
        committer.submit(Commit())
        committer.wait()
        assert [p.entry.trial for p in read_ledger(tmp_path).entries] == [1, 2, 3]


def test_a_save_that_failed_is_told_of_at_the_next(writer, monkeypatch):
    def fail(self, kept):
        raise RuntimeError("no disk")

    monkeypatch.setattr(Writer, "save", fail)
    with Committer(writer) as committer:
        committer.save([stack(1)])
        with pytest.raises(RuntimeError, match="no disk"):
            committer.submit(Commit())


def stack(trial):
    """A last state."""
    entry = Entry(trial=trial, what="last", step=1)
    return Stack(entries=(entry,), arrays={"w": np.ones((1, 3), np.float32)})
