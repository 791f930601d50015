"""How the layout of a program is decided: asked for, measured, remembered, or alike."""

import pytest
import small

import tuner
from tuner.lanes import calibration, remembered
from tuner.lanes.calibration import Measured
from tuner.rounds.layouts import Layouts
from tuner.rounds.preflight import preflight
from tuner.rounds.room import Room

ROUNDS = [tuner.Round(trials=12, max_train_steps=20)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(remembered.VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def measured(monkeypatch):
    """Every program is measured, and width 2 found to be the fastest."""
    names = []

    def fastest(program, jobs, fits, known):
        layout = tuner.Layout(2, 2, 2)
        names.append(program.group.static["activation"])
        chosen = program.at(layout)
        chosen.compile()
        speeds = [Measured(program.layout, 1.0), Measured(layout, 2.0)]
        return chosen, speeds

    monkeypatch.setattr(calibration, "fastest", fastest)
    return names


def test_a_measured_layout_is_kept_and_remembered(measured, tmp_path):
    study = small.study(rounds=ROUNDS)
    first = tuner.run(study, tmp_path / "first")
    assert set(first.layout.values()) == {"2x2x2"}  # of six trials each
    assert measured == ["relu"]  # tanh has lanes of the same size
    measured.clear()
    second = tuner.run(study, tmp_path / "second")
    assert not measured
    assert second.layout == first.layout
    assert second.metrics("train").equals(first.metrics("train"))
    assert tuner.run(study, tmp_path / "first").layout == first.layout


def test_a_glance_that_led_to_nothing_is_not_repeated(monkeypatch, tmp_path):
    study = small.study(
        space=small.space(activation="relu"),
        rounds=[tuner.Round(trials=12, max_train_steps=400)],
    )
    glances, glance = [], calibration._glance
    monkeypatch.setattr(
        calibration, "_glance", lambda *given: (glances.append(1), glance(*given))[1]
    )
    first = tuner.run(study, tmp_path / "first")
    assert glances == [1]
    second = tuner.run(study, tmp_path / "second")
    assert glances == [1]
    assert second.layout == first.layout
    assert second.metrics("train").equals(first.metrics("train"))


def test_what_is_asked_for_is_not_measured(measured, tmp_path):
    study = small.study(rounds=ROUNDS)
    run = tuner.run(study, tmp_path / "run", layout="2x1x4")
    assert not measured
    assert set(run.layout.values()) == {"2x1x4"}


def test_a_directory_keeps_its_layout_whatever_is_remembered(measured, tmp_path):
    study = small.study(rounds=ROUNDS[:1])
    asked = tuner.run(study, tmp_path / "run", layout="1x2x4")
    plan = preflight(study)
    groups = plan.groups
    for signature in groups.values():
        remembered.remember(signature.fingerprint, 1)
    assert tuner.run(study, tmp_path / "run").layout == asked.layout
    layouts = Layouts(groups, {}, None, Room(plan))
    assert str(layouts.guess("activation=relu", 6)[0]) == "2x3x1"


def test_a_fingerprint_is_of_what_is_computed():
    """Not of the trials' number, their values or their lengths."""

    def fingerprints(**changes):
        study = small.study(**changes)
        return {n: s.fingerprint for n, s in preflight(study).groups.items()}

    base = fingerprints()
    assert len(set(base.values())) == 2
    assert fingerprints(rounds=ROUNDS, seed=4) == base
    wider = small.space(learning_rate=tuner.Float(1e-5, 1.0, log=True))
    assert fingerprints(space=wider) == base
    other = fingerprints(task=small.task(batch_size=64))
    assert not set(other.values()) & set(base.values())
