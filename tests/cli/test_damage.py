"""What `tuner check-files` prints of damage: lost, not lost, and what to type."""

import shutil

import pytest
from damaging import KEPT


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A copy of a run in the folder in which commands run."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(KEPT, tmp_path / "run")


def test_a_sound_run_is_said_to_be_sound(command, run):
    printed = command("check-files", "run")
    assert printed.code == 0
    assert printed.out == "run is sound: 18 files are as written.\n"


def test_damage_is_told_with_what_is_lost_and_what_is_not(command, run):
    (run / "metrics/train/000004.parquet").unlink()
    (run / "notes.txt").write_text("mine")
    printed = command("check-files", "run")
    assert printed.code == 1
    assert (
        printed.out
        == """\
run is damaged: 17 files are as written, 1 is not.

damaged  metrics/train/000004.parquet: is missing
   lost  12 rows of table `train`, of trials 6, 7

Not lost: the definition and the ledger, and all records of 6 of 8 trials.
tuner repair run STUDY.py trains the other 2 again.

1 file that no row of the ledger names, and nothing reads:
  notes.txt
"""
    )


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("trials.sqlite", "What can still be read, unverified: the parts in metrics/"),
        ("study.json", "tuner.Run('run').trials and .metrics(...)."),
    ],
)
def test_what_is_beyond_repair_is_said_to_be_and_what_can_still_be_read(
    command, run, name, rest
):
    (run / name).write_bytes(b"")
    printed = command("check-files", "run")
    assert printed.code == 1
    assert "Beyond repair: without its" in printed.out
    assert "back from a copy of the run" in printed.out
    assert rest in printed.out
    assert "tuner repair" not in printed.out


def test_a_damaged_verdict_is_found_out_anew(command, run):
    (run / "steps/verdict.json").write_bytes(b"")
    printed = command("check-files", "run")
    assert printed.code == 1
    assert printed.out.endswith("\n\n`tuner steps` finds its verdict out anew.\n")


def test_lost_columns_are_written_anew(command, run):
    (run / "metrics/train/000000.parquet").unlink()
    printed = command("check-files", "run")
    assert "lost  the columns of table `train`\n" in printed.out
    assert "STUDY.py writes anew what has no rows." in printed.out


def test_many_strangers_are_counted_and_may_be_a_writer_s(command, run):
    from tuner.store.writer import Writer

    for number in range(20):
        (run / f"{number:02}.txt").write_text("mine")
    with Writer(run):
        printed = command("check-files", "run")
    assert printed.code == 0
    assert "(a process writes this run: they may be its own):" in printed.out
    assert printed.out.endswith("  11.txt\n  and 8 more\n")


# tuner repair


def test_a_sound_run_that_is_complete_is_left_as_it_is(command, finished):
    printed = command("repair", finished.directory)
    assert (printed.code, printed.err) == (0, "")
    assert f"{finished.directory} is sound: " in printed.out


def test_beyond_repair_is_said_and_nothing_is_loaded(command, run):
    (run / "trials.sqlite").write_bytes(b"")
    printed = command("repair", "run", "no_such_study.py")
    assert printed.code == 1
    assert "Beyond repair: without its ledger" in printed.out


def test_a_study_that_is_not_found_is_asked_for(command, run):
    (run / "metrics/train/000004.parquet").unlink()
    printed = command("repair", "run")
    assert printed.code == 2
    assert "one file in studies/ should name, but found none: pass" in printed.err


@pytest.mark.slow
def test_a_damaged_run_trains_again_what_was_lost_and_ends_as_runs_do(command, run):
    study = "from kept import make_run\n\nstudy = make_run.study()  # name='kept'\n"
    (run.parent / "studies").mkdir()
    (run.parent / "studies" / "kept_study.py").write_text(study)
    (run / "metrics/train/000004.parquet").unlink()
    printed = command("repair", "run")
    assert printed.code == 0, printed.err
    assert printed.out.startswith("run is damaged: 17 files are as written, 1 is not.")
    assert "The best of 8 trials" in printed.out
    assert "\nreport: run/report.html\n" in printed.out
    assert command("check-files", "run").code == 0
