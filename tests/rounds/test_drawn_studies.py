"""Any study is refused by a check of ours before anything compiles, or runs."""

import re
import tempfile

import jaxtyping
import polars as pl
import pytest
from drawn import Parts, definitions, is_ours, make
from hypothesis import HealthCheck, given, settings

import tuner
from tuner.lanes.compilations import compilations
from tuner.rounds.display import Silent
from tuner.rounds.preflight import preflight


@pytest.fixture(autouse=True)
def untyped():
    """Definitions as users write them, whose types nobody checks."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def planned(parts):
    """The study and its plan; None where it is refused."""
    before = compilations()
    found, error = tried(parts)
    assert compilations() == before
    assert error is None or is_ours(error), repr(error)
    return found


def tried(parts):
    """The study and its plan, or what has refused it."""
    try:
        study = make(parts)
        return (study, preflight(study)), None
    except Exception as error:
        return None, error


FIXTURE = [HealthCheck.function_scoped_fixture]


@settings(max_examples=100, suppress_health_check=FIXTURE)
@given(definitions())
def test_a_study_is_planned_or_refused_by_us(parts):
    planned(parts)


@settings(max_examples=60, suppress_health_check=FIXTURE)
@given(definitions())
def test_what_is_not_refused_runs(parts):
    run_or_refused(parts)


def run_or_refused(parts):
    """Whether a study has run, as it should; else it was refused, as it should."""
    if (found := planned(parts)) is None:
        return False
    study, plan = found
    with tempfile.TemporaryDirectory() as folder:
        run = tuner.run(study, folder + "/run", layout="1x1x4", display=Silent())
        check_run(study, plan, run)
    return True


def check_run(study, plan, run):
    """All trials are there, have ended, and have a row for every step."""
    assert run.status == "complete"
    trials = run.trials
    assert trials.filter(round=1).height == len(plan.rounds[0])
    assert set(trials["status"]) <= {"complete", "diverged"}
    complete = trials.filter(status="complete")
    assert (complete["step"] == complete["max_train_steps"]).all()
    rows = run.metrics("train").group_by("trial").len().rename({"len": "rows"})
    counted = trials.join(rows, on="trial", how="left").with_columns(
        pl.col("rows").fill_null(0)
    )
    assert (counted["rows"] == counted["step"] - counted["start_step"]).all()
    kept = sum(round_.num_kept for round_ in study.rounds[1:])
    assert trials.filter(round=2).height <= kept + 1  # and a control


REFUSED = {
    "trials without end": (
        lambda: tuner.Round(trials=2**31, max_train_steps=4),
        "`trials <= 1,000,000` must hold, but got trials=2,147,483,648",
    ),
    "steps without end": (
        lambda: tuner.Round(trials=2, max_train_steps=2**63),
        "`max_train_steps <= 100,000,000` must hold",
    ),
    "a scale that is a number": (
        lambda: tuner.Float(1, 2, log=float("nan")),
        "`log` must be True or False, but got nan",
    ),
    "a static that is text": (
        lambda: tuner.Int(1, 2, static=""),
        "`static` must be True or False, but got ''",
    ),
    "a goal that is a number": (
        lambda: make(drawn_with(goal=3)),
        "`goal` must be text, but got 3",
    ),
    "a sampling that is a number": (
        lambda: make(drawn_with(sampling=3)),
        "`sampling` must be text, but got 3",
    ),
    "an objective that is none": (
        lambda: make(drawn_with(objective=None)),
        "`objective` must be text, but got None",
    ),
}


def drawn_with(**fields):
    """Parts of a sound study, but for these fields of its own."""
    own = {"name": "drawn", "eval_every": 1, "objective": "valid/loss"} | fields
    rounds = [{"max_train_steps": 4, "trials": 2}]
    return Parts(study=own, domains={}, rounds=rounds, schedule={}, metrics={})


@pytest.mark.parametrize(("build", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_what_drawn_studies_have_found_is_refused(build, rule):
    with pytest.raises((ValueError, TypeError), match=re.escape(rule)):
        build()
