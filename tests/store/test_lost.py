"""What is left of a run is never taken for an empty directory."""

import pytest

from tuner.runs import open_run
from tuner.store import reader
from tuner.store.durable import DamagedError
from tuner.store.writer import Commit, Writer


@pytest.fixture
def run(tmp_path, writer, row, stack, frame):
    """A run of one commit that nobody writes any more."""
    writer.write_definition({"name": "digits"})
    commit = Commit(
        train=frame([1], range(1, 4)), trials=[row(1)], kept=[stack("best", {1: 2})]
    )
    writer.commit(commit)
    writer.close()
    return tmp_path


def files(run):
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


@pytest.mark.parametrize("gone", [{"definition"}, set()], ids=["alone", "with it"])
@pytest.mark.parametrize("damage", ["holds no ledger", "is missing"])
def test_without_its_ledger_nothing_is_read_and_nothing_swept_away(run, damage, gone):
    (run / "trials.sqlite").unlink()
    if damage == "holds no ledger":
        (run / "trials.sqlite").touch()
    if gone:
        (run / "study.json").unlink()
    (run / "lock").unlink()
    left = files(run)
    message = f"trials.sqlite` {damage}, so what the run's ledger says cannot"
    with pytest.raises(DamagedError, match=message):
        reader.read_ledger(run)
    others = message if not gone else "was made by no run"
    with pytest.raises((DamagedError, FileExistsError), match=others):
        Writer(run)
    (run / "lock").unlink(missing_ok=True)
    assert {p: b for p, b in files(run).items() if b} == {
        p: b for p, b in left.items() if b
    }


@pytest.mark.parametrize("read", [open_run, reader.read_definition])
def test_without_its_definition_a_run_is_damaged(run, read):
    (run / "study.json").unlink()
    with pytest.raises(DamagedError, match=r"study.json` is missing, so the study's"):
        read(run)


def test_a_writer_never_sweeps_where_a_link_leads(run, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "thesis.txt").write_text("years of work")
    (run / "tmp").rmdir()
    (run / "tmp").symlink_to(elsewhere)
    with pytest.raises(DamagedError, match=r"tmp` leads out of the run's directory"):
        Writer(run)
    assert (elsewhere / "thesis.txt").read_text() == "years of work"


def test_a_link_among_a_run_s_own_files_is_removed_and_not_what_it_leads_to(
    run, tmp_path_factory
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "thesis.txt").write_text("years of work")
    (run / "snapshots" / "mine").symlink_to(elsewhere)
    Writer(run).close()
    assert not (run / "snapshots" / "mine").is_symlink()
    assert (elsewhere / "thesis.txt").read_text() == "years of work"
