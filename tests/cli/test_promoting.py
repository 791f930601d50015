"""`tuner promote` adds a round, whenever one likes; its trials are drawn as trees."""

import shutil

import polars as pl
import pytest

import tuner
from tuner.cli.promoting import extensions_of, file_of, numbers_of


@pytest.fixture
def copied(finished, tmp_path, monkeypatch):
    """A copy of the finished run, in a folder where its study is to be found."""
    (tmp_path / "studies").mkdir()
    study = "import small\n\nstudy = small.study(name='small')\n"
    (tmp_path / "studies" / "little.py").write_text(study)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished.directory, tmp_path / "run")
    return tuner.open_run(tmp_path / "run")


def test_a_round_is_added_and_another_after_it(command, copied):
    printed = command(
        *("promote", copied.directory, "--keep", "2", "--control", "1"),
        *("--steps", "120", "--extend", "constant=10,stretch"),
    )
    assert printed.code == 0, printed.err
    third = copied.trials.filter(pl.col("round") == 3)
    assert third["status"].to_list() == ["complete"] * 6
    assert set(third["extend"]) == {"LengthenConstant(decay_steps=10)", "Stretch()"}
    assert third["control"].sum() == 2
    assert "shared" in printed.out

    same = command(
        *("promote", copied.directory, "--keep", "2", "--control", "1"),
        *("--steps", "120", "--extend", "constant=10,stretch"),
    )
    assert same.code == 0, same.err
    assert copied.trials.filter(pl.col("round") >= 3).equals(third)

    best = third["trial"][0]
    again = command(
        *("promote", copied.directory, "--trials", str(best), "--steps", "120"),
        *("--seeds", "2"),
    )
    assert again.code == 0, again.err
    fourth = copied.trials.filter(pl.col("round") == 4)
    assert fourth["parent"].to_list() == [best] * 2
    assert fourth["replicate"].to_list() == [1, 2]
    assert fourth["resume"].to_list() == ["fresh"] * 2

    tree = command("trials", copied.directory, "--tree").out
    line = next(line for line in tree.splitlines() if f"trial {best}," in line)
    assert "LengthenConstant(decay_steps=10), from trial" in line
    assert sum("seed" in line for line in tree.splitlines()) == 2
    assert tree.rstrip().endswith("trials that were not promoted")


def test_a_trial_that_cannot_go_on_is_refused_before_anything_runs(command, copied):
    before = copied.figures
    printed = command(
        *("promote", copied.directory, "--trials", "99", "--steps", "120"),
        *("--extend", "stretch"),
    )
    assert printed.code == 2
    assert "trial 99 is unknown" in printed.err
    assert copied.figures == before


def test_a_study_that_no_file_names_must_be_given(copied):
    (copied.directory.parent / "studies" / "little.py").unlink()
    with pytest.raises(LookupError, match=r"found none: pass --study FILE"):
        file_of(copied)


def test_rules_have_short_names():
    assert extensions_of(["constant,constant=150", "stretch", "decay"]) == (
        tuner.LengthenConstant(),
        tuner.LengthenConstant(decay_steps=150),
        tuner.Stretch(),
        tuner.LengthenDecay(),
    )
    with pytest.raises(ValueError, match="stretch"):
        extensions_of(["strech"])
    with pytest.raises(ValueError, match="takes the decay's steps"):
        extensions_of(["constant=half"])


def test_trials_are_listed_by_number():
    assert numbers_of("3,7,12") == [3, 7, 12]
    with pytest.raises(ValueError, match="3,7,12"):
        numbers_of("best")
