import polars as pl
import pytest

from tuner.rounds.committer import Committer
from tuner.store.reader import read_ledger
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
