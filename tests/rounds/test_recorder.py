import numpy as np
import polars as pl
import pytest

from tuner.lanes.flight import Called
from tuner.rounds.recorder import Recorder, schemas
from tuner.store.ledger import TrialRow

STEPS = 4
TRAIN, VALID = schemas(["learning_rate"], ["loss"], ["valid/error"])


def row(trial, **changes):
    fields = {
        "trial": trial,
        "sample": trial,
        "replicate": 0,
        "round": 1,
        "group": "all",
        "parent": None,
        "start_step": 0,
        "resume": "fresh",
        "status": "waiting",
        "max_train_steps": 8,
        "step": 0,
        "combination": "{}",
        "hyperparams": {},
        "schedule": {},
    }
    return TrialRow(**(fields | changes))


def called(good, *, base=0, error=0.5, best=0.5, ended=()):
    """One call of as many trials as `good` has entries."""
    n = len(good)
    return Called(
        trials=np.arange(n, dtype=np.int32),
        base=np.full(n, base, np.int32),
        steps=np.full(n, STEPS),
        good=np.array(good),
        due=np.ones(n, bool),
        step=base + 1 + np.tile(np.arange(STEPS, dtype=np.int32), (n, 1)),
        kept=np.arange(STEPS) < np.array(good)[:, None],
        rates={"learning_rate": np.full((n, STEPS), 0.1, np.float32)},
        train={"loss": np.ones((n, STEPS), np.float32)},
        valid={"valid/error": np.full(n, error, np.float32)},
        best_objective=np.full(n, best, np.float32),
        best_step=np.full(n, base + STEPS, np.int32),
        copied=(),
        ended=ended,
    )


@pytest.fixture
def recorder():
    return Recorder([row(0), row(1)], TRAIN, VALID, 1.0, "valid/error")


def test_rows_end_before_the_first_step_that_was_not_finite(recorder):
    recorder.add(called([4, 2]), np.array([10, 10]))
    commit = recorder.take({})
    assert commit.train.select("trial", "step", "examples").rows() == [
        (0, 1, 10),
        (0, 2, 20),
        (0, 3, 30),
        (0, 4, 40),
        (1, 1, 10),
        (1, 2, 20),
    ]
    assert commit.valid["trial"].to_list() == [0]


def test_a_trial_that_broke_stands_where_it_broke(recorder):
    """Also when, resumed, it ran on from a state that was broken already."""
    recorder.add(called([4, 2]), np.array([10, 10]))
    recorder.add(called([4, 0], base=4, ended=(0, 1)), np.array([10, 10]))
    whole, broken = recorder.rows[0], recorder.rows[1]
    assert (whole.status, whole.step) == ("complete", 8)
    assert (broken.status, broken.step, broken.diverged_step) == ("diverged", 2, 3)
    assert broken.diverged_learning_rate == pytest.approx(0.1)


def test_a_metric_that_a_group_does_not_have_is_null():
    train, valid = schemas(["learning_rate"], ["loss", "other"], ["valid/error"])
    recorder = Recorder([row(0)], train, valid, 1.0, "valid/error")
    recorder.add(called([4]), np.array([1]))
    frame = recorder.take({}).train
    assert frame["train/other"].null_count() == STEPS
    assert frame.schema["train/other"] == pl.Float32


def test_taking_twice_gives_nothing_twice(recorder):
    recorder.add(called([4, 4]), np.array([1, 1]))
    recorder.take({})
    again = recorder.take({})
    assert again.train.is_empty()
    assert not again.trials
