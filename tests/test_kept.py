"""What an earlier version has written is read, with known answers, and for ever.

`kept/make_run.py` has made it, and is never run again for a format that is kept.
"""

import shutil

import polars as pl
import pytest
from damaging import KEPT

import tuner


@pytest.fixture(scope="module")
def run():
    return tuner.open_run(KEPT)


def test_it_is_small_and_sound():
    files = [path for path in KEPT.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 200_000
    audit = tuner.check_files(KEPT)
    assert (audit.is_sound, audit.unnamed) == (True, ())


def test_its_trials(run):
    columns = ["trial", "parent", "status", "step", "best_step", "best_objective"]
    assert run.trials.select(columns).with_columns(
        pl.col("best_objective").round_sig_figs(4)
    ).rows() == [
        (0, None, "complete", 8, 4, 1.293),
        (1, None, "complete", 8, 2, 1.685),
        (2, None, "diverged", 6, 2, 3.645e13),
        (3, None, "diverged", 6, 2, 6.367e12),
        (4, None, "complete", 8, 2, 880500.0),
        (5, None, "complete", 8, 2, 555500.0),
        (6, 0, "running", 12, 4, 1.293),
        (7, 1, "running", 12, 2, 1.685),
    ]
    assert run.trials["hp.momentum"].to_list() == [0.0, 0.8] * 4
    assert run.best["trial"] == 0
    assert (run.status, run.layout) == ("interrupted", {"all": "1x1x4"})


def test_its_metrics(run):
    train, valid = run.metrics("train"), run.metrics("valid")
    assert (train.height, valid.height) == (60, 30)
    curve = run.metrics("valid", lineage=True).filter(trial=6)["valid/loss"]
    known = [2.1608, 1.29349, 1.32182, 1.48662, 1.40044, 1.29577]
    assert curve.to_list() == pytest.approx(known, rel=1e-5)  # as many digits as here


def test_its_states(run):
    weights = [0.6938632130622864, 0.8307836055755615, 0.9955765604972839]
    for trial in (0, 6):  # the second has taken over the best of the first
        assert run.restore(trial)["w"].tolist()[:3] == weights
    assert sorted(run.restore(0, "last")) == ["optimizer", "variables"]
    moved = run.restore(6, "branch")["optimizer"]["0"]["trace"]["w"]
    assert moved[0].item() == 0.26569196581840515


def test_its_findings_its_verdict_and_its_report(run, tmp_path):
    assert {"C3", "D5", "D6"} <= {found.id for found in run.findings()}
    assert run.steps_to_fit["searched_trials"] == 4
    page = tuner.write_report(run, tmp_path / "page.html").read_text()
    assert "Is what an earlier version has written still read?" in page


@pytest.mark.slow
def test_it_goes_on(tmp_path):
    from kept import make_run

    copy = shutil.copytree(KEPT, tmp_path / "run")
    before = tuner.open_run(copy).metrics("train")
    done = tuner.run(make_run.study(), copy)
    assert done.status == "complete"
    assert done.trials["step"].to_list() == [8, 8, 6, 6, 8, 8, 16, 16]
    after = done.metrics("train")
    assert after.join(before, on=["trial", "step"], how="semi").equals(before)
