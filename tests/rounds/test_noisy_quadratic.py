"""A model whose answers are known in closed form: `studies/noisy_quadratic.py`."""

import dataclasses
import importlib

import numpy as np
import polars as pl
import pytest

import tuner
from tuner import analysis

# The lowest last loss over 160 rates from 1e-4 to 1.9, at three horizons: a
# cosine and a linear decay end at zero, "stable" decays over its last fifth. Computed
# apart from this package, in float64, from the recurrence of the second moments.
LOWEST = {
    "linear": (1.3646, 0.7739, 0.3366),
    "cosine": (1.4058, 0.8031, 0.3495),
    "stable": (1.4273, 0.8406, 0.3931),
    "constant": (1.5566, 1.0137, 0.5561),
}


@pytest.fixture(scope="module")
def quadratic():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend("studies")
        yield importlib.import_module("noisy_quadratic")


@pytest.fixture(scope="module")
def run(quadratic, tmp_path_factory):
    """Evaluated less often than the study, which takes the tests too long."""
    study = dataclasses.replace(quadratic.study, eval_every=20)
    return tuner.run(study, tmp_path_factory.mktemp("runs") / "quadratic")


@pytest.fixture(scope="module")
def best(run):
    """Of each round and schedule the trial with the lowest last loss."""
    return run.trials.sort("final_objective").unique(
        ["round", "hp.family"], keep="first", maintain_order=True
    )


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_schedules_come_in_the_known_order_with_the_known_losses(best, number):
    of_round = best.filter(round=number)
    assert of_round["hp.family"].to_list() == list(LOWEST)
    losses = of_round["final_objective"].to_list()
    known = [lowest[number - 1] for lowest in LOWEST.values()]
    np.testing.assert_allclose(losses, known, rtol=1e-3)


def test_a_trial_is_the_recurrence(quadratic, run):
    """In NumPy, in float64, at the rates that were recorded."""
    curve = run.metrics("train", lineage=True).filter(trial=run.best["trial"])
    curvature = 1 / np.arange(1.0, 1001)
    moments, losses = np.ones(1000), []
    for rate in curve["learning_rate"].cast(pl.Float64):
        moments = (1 - rate * curvature) ** 2 * moments + rate**2 * curvature
        losses.append((curvature * moments).sum() / 2)
    np.testing.assert_allclose(curve["train/loss"], losses, rtol=1e-4)


def test_the_best_rate_falls_with_the_horizon(best):
    rates = {
        key[0]: rows.sort("round")["hp.learning_rate"].to_list()
        for key, rows in best.group_by("hp.family")
    }
    assert all(first > second > third for first, second, third in rates.values())


def test_the_fall_of_the_best_rate_is_found_and_told(run):
    (told,) = [f for f in run.findings() if f.subject == "learning_rate"]
    assert told.id == "D8"
    assert "its best region moved as expected" in told.text
    space = run.definition["study"]["space"]
    constant = run.trials.filter(pl.col("hp.family") == "constant")
    between = {(t.short, t.long): t for t in analysis.transfers(constant, space)}
    (shift,) = [s for s in between[1, 3].shifts if s.name == "learning_rate"]
    assert shift.is_told
    assert shift.long < shift.short
    assert between[1, 3].agreement.verdict == "kept"


def test_the_verdict_is_not_fooled_by_decayed_tails(run):
    """Every curve is flat at its end, where the rate is next to zero."""
    (verdict,) = [f for f in run.findings() if f.id in ("C9", "C10")]
    assert verdict.id == "C9"
    assert "compute-bound" in verdict.subject
