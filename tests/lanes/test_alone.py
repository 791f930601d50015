"""A trial alone is the trial in its lane."""

import jax
import numpy as np
import pytest
import small

import tuner
from tuner.lanes.alone import train_alone
from tuner.rounds.groups import make_group, make_job
from tuner.rounds.trials import planned

STEPS = 7  # evaluations are 5 apart


@pytest.fixture(scope="module")
def trial():
    return list(planned(small.study(), 1))[3]


@pytest.fixture(scope="module")
def in_a_lane(trial, tmp_path_factory):
    """Its tables as a run records them, among others in the lanes of its program."""
    study = small.study(rounds=[tuner.Round(trials=12, max_train_steps=20)])
    run = tuner.run(study, tmp_path_factory.mktemp("run"), layout="2x1x2")
    return {
        name: run.metrics(name).filter(trial=trial.trial) for name in ("train", "valid")
    }


def alone(trial, study=None, **options):
    study = study or small.study()
    job = make_job(study, trial, start_step=0, trained=None)
    return list(train_alone(make_group(study, trial), job, **options))


@pytest.fixture(scope="module")
def outside(trial):
    return alone(trial, steps=STEPS)


def test_the_first_step_is_that_of_the_lane(outside, in_a_lane):
    (step, metrics, _), row = outside[0], in_a_lane["train"].row(0, named=True)
    assert step == row["step"] == 1
    # Another program: XLA may add up a batch in another order.
    for name, value in metrics.items():
        np.testing.assert_allclose(value, row[f"train/{name}"], rtol=1e-5)


def test_every_later_batch_and_rate_is_that_of_the_lane(outside, in_a_lane):
    losses = [metrics["loss"] for _, metrics, _ in outside]
    # Seven steps of rounding; another batch or rate would differ in the first digit.
    np.testing.assert_allclose(
        losses, in_a_lane["train"]["train/loss"][:STEPS], rtol=1e-4
    )


def test_the_evaluation_is_that_of_the_lane(outside, in_a_lane):
    evaluation, row = outside[4][2], in_a_lane["valid"].row(0, named=True)
    assert row["step"] == 5
    # As above, after five steps.
    np.testing.assert_allclose(evaluation["valid/loss"], row["valid/loss"], rtol=1e-4)
    assert set(evaluation) == {"valid/error", "valid/loss"}


def test_it_is_evaluated_where_lanes_are_and_at_the_end(outside):
    assert [step for step, _, evaluation in outside if evaluation] == [5, STEPS]


@pytest.fixture(scope="module")
def eager(trial):
    """Its first step without a compiler, and whether its task saw a tracer there."""
    traced = []

    def init(key, hyperparams):
        traced.append(isinstance(hyperparams.learning_rate, jax.core.Tracer))
        return small.init(key, hyperparams)

    study = small.study(task=small.task(init=init))
    ((_, metrics, _),) = alone(trial, study, steps=1, eager=True)
    return metrics, traced


def test_eagerly_the_task_sees_numbers(eager):
    _, traced = eager
    assert traced == [False]


def test_eagerly_the_numbers_are_the_same(eager, outside):
    metrics, _ = eager
    # Fused or not, the same sums in another order.
    np.testing.assert_allclose(metrics["loss"], outside[0][1]["loss"], rtol=1e-5)
