"""An objective that is not finite is recorded, and is never the best."""

import jax.numpy as jnp
import pytest
import small

import tuner


def study_of(evaluate):
    return small.study(
        space=small.space(activation="tanh"),
        task=small.task(evaluate=evaluate),
        rounds=[
            tuner.Round(trials=6, max_train_steps=20),
            tuner.Round(keep=2, max_train_steps=40, extend=tuner.LengthenConstant()),
        ],
    )


def nan_above(limit):
    """The error, where it is above a limit: none."""

    def evaluate(key, hyperparams, params, batch):
        error = small.evaluate(key, hyperparams, params, batch)["error"]
        return {"error": jnp.where(error > limit, jnp.nan, error)}

    return evaluate


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    """Where an evaluation is bad, its error is not a number; some trials have none."""
    directory = tmp_path_factory.mktemp("a") / "run"
    return tuner.run(study_of(nan_above(0.4)), directory, layout="2x1x2")


def test_trials_without_a_finite_objective_complete_and_are_not_ranked(some):
    first = some.trials.filter(round=1)
    without = first.filter(first["best_step"].is_null())
    assert 0 < without.height < first.height
    assert set(first["status"]) == {"complete"}
    assert without["trial"].is_in(some.ranked["trial"].to_list()).not_().all()
    parents = some.trials.filter(round=2)["parent"]
    assert parents.is_in(without["trial"].to_list()).not_().all()


def test_what_was_recorded_is_what_was_said(some):
    curve = some.metrics("valid")
    assert curve["valid/error"].is_nan().any()
    assert curve["valid/error"].drop_nans().max() <= 0.4


def test_where_no_trial_has_one_nobody_goes_on(tmp_path):
    run = tuner.run(study_of(nan_above(-1)), tmp_path / "run", layout="2x1x2")
    assert run.status == "complete"
    assert run.trials["round"].to_list() == [1] * 6
    assert run.ranked.is_empty()
    assert "No trial has a result" in tuner.write_report(run).read_text()
