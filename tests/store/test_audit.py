"""What is damaged, whose records were in it, and what is left alone."""

import shutil

import pytest
from damaging import KEPT

import tuner
from tuner.store.reader import read_ledger


@pytest.fixture
def run(tmp_path):
    """A copy of a run with states of all kinds, a verdict, and several parts."""
    return shutil.copytree(KEPT, tmp_path / "run")


def parts(run, table):
    """The paths of a table's parts, the first with rows being 1."""
    return sorted((run / "metrics" / table).iterdir())


def test_a_sound_run_is_sound_to_the_last_file(run):
    audit = tuner.check_files(run)
    assert audit.is_sound
    assert audit.trials == audit.unnamed == audit.damaged == ()
    files = {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()}
    assert set(audit.sound) == files


@pytest.mark.parametrize("table", ["train", "valid"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_lost_part_says_whose_rows_it_held(run, table, number):
    held = set(tuner.open_run(run).metrics(table)["trial"])
    (run / "metrics" / table / f"{number:06}.parquet").unlink()
    [damage] = tuner.check_files(run).damaged
    frames = [p for p in parts(run, table) if p.stat().st_size]
    assert damage.path == f"metrics/{table}/{number:06}.parquet"
    assert damage.damage == "is missing"
    rows = read_ledger(run).files[damage.path].rows
    assert damage.lost == f"{rows} rows of table `{table}`"
    assert set(damage.trials) == _trials_of(number) & held
    assert len(frames) == 4


def _trials_of(number):
    """The trials with rows in part `number` of `train`, as it was written."""
    import polars as pl

    return set(pl.read_parquet(KEPT / f"metrics/train/{number:06}.parquet")["trial"])


def test_where_both_parts_of_a_commit_are_lost_the_gaps_say_whose_rows(run):
    for table in ("train", "valid"):
        (run / "metrics" / table / "000002.parquet").write_bytes(b"")
    damaged = tuner.check_files(run).damaged
    assert [set(damage.trials) for damage in damaged] == [_trials_of(2)] * 2


def test_a_damaged_snapshot_says_whose_states_it_held(run, flip):
    ledger = read_ledger(run)
    path = next(path for path in ledger.files if path.startswith("snapshots"))
    flip(run / path, 99)
    [damage] = tuner.check_files(run).damaged
    entries = [place.entry for place in ledger.entries if place.path == path]
    assert damage.path == path
    assert damage.damage == "does not match its sha256"
    assert set(damage.trials) == {entry.trial for entry in entries}
    assert f"{entries[0].what} of trial {entries[0].trial}" in damage.lost


def test_columns_without_rows_are_nobody_s(run):
    (run / "metrics/valid/000000.parquet").unlink()
    audit = tuner.check_files(run)
    assert [d.lost for d in audit.damaged] == ["the columns of table `valid`"]
    assert audit.trials == ()
    assert not audit.is_sound


@pytest.mark.parametrize("name", ["study.json", "trials.sqlite"])
def test_without_what_says_which_records_there_are_a_run_is_beyond_repair(run, name):
    (run / name).write_bytes(b"{")
    audit = tuner.check_files(run)
    assert audit.is_beyond_repair
    assert [damage.path for damage in audit.damaged] == [name]
    assert (audit.ledger is None) == (name == "trials.sqlite")


def test_without_both_of_them_what_is_left_is_still_a_damaged_run(run):
    (run / "study.json").unlink()
    (run / "trials.sqlite").unlink()
    audit = tuner.check_files(run)
    assert [d.path for d in audit.damaged] == ["study.json", "trials.sqlite"]
    assert audit.is_beyond_repair


def test_a_damaged_verdict_is_named_and_the_run_is_not_beyond_repair(run, flip):
    flip(run / "steps/verdict.json", 800)
    audit = tuner.check_files(run)
    assert [damage.path for damage in audit.damaged] == ["steps/verdict.json"]
    assert not audit.is_beyond_repair


def test_strangers_are_named_and_are_no_damage(run, tmp_path):
    (run / "notes.txt").write_text("mine")
    (run / "metrics/train/000009.parquet").write_bytes(b"half a commit")
    (run / "elsewhere").symlink_to(tmp_path)
    (run / "report.html").write_text("<html>")
    (run / "profile").mkdir()
    (run / "profile/trace").write_text("")
    audit = tuner.check_files(run)
    assert audit.is_sound
    assert audit.unnamed == ("elsewhere", "metrics/train/000009.parquet", "notes.txt")


def test_what_a_commit_has_removed_meanwhile_is_no_damage(run, monkeypatch):
    """The ledger that is read first names a snapshot that the next one does not."""
    from tuner.store import audit, database
    from tuner.store.writer import Writer

    before = database.read(run)
    with Writer(run) as writer:
        writer.restart([row for row in before.trials if row.status == "running"])
    gone = before.files.keys() - database.read(run).files.keys()
    assert len(gone) > 1
    monkeypatch.setattr(audit, "_read_ledger", lambda directory: before)
    assert tuner.check_files(run).damaged == ()


def test_a_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no run"):
        tuner.check_files(tmp_path)
