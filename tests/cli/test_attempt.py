"""One trial alone, told in lines."""

import pytest
import small

from tuner.cli.attempt import attempt


@pytest.fixture(scope="module")
def diverging():
    """A trial whose steps leave all numbers: plain descent by a rate of 1e4."""
    study = small.diverging_study(
        space=small.space(activation="tanh", learning_rate=1e4, warmup_steps=0)
    )
    return list(attempt(study, 0))


def test_a_trial_that_breaks_is_told_of_and_ends(diverging):
    assert diverging[-1].startswith("diverged: not finite at step ")
    assert diverging[-1].endswith("(learning_rate=1e+04)")


def test_a_table_lines_up():
    _, header, *rows = attempt(small.study(), 0)
    assert [row.split()[0] for row in rows] == ["5", "10", "15", "20"]
    assert {len(row) for row in rows} == {len(header)}


def test_a_trial_of_another_round_is_refused():
    with pytest.raises(ValueError, match=r"`0 <= trial < 12`.*got \(trial=12\)"):
        list(attempt(small.study(), 12))


@pytest.mark.parametrize("steps", [0, 21])
def test_steps_beyond_the_horizon_are_refused(steps):
    with pytest.raises(ValueError, match=rf"`1 <= steps <= 20`.*\(steps={steps}\)"):
        list(attempt(small.study(), 0, steps=steps))


@pytest.fixture
def branching():
    """A study whose task asks a traced hyperparameter for its value."""

    def init(key, hyperparams):
        return small.init(key, hyperparams) if hyperparams.weight_decay > 0 else {}

    return small.study(task=small.task(init=init))


def test_a_task_is_checked_before_it_is_compiled(branching):
    with pytest.raises(TypeError, match="weight_decay must be declared static=True"):
        next(attempt(branching, 0))


def test_eagerly_a_task_may_look_at_any_value(branching):
    assert next(attempt(branching, 0, eager=True)).startswith("trial 0 (")
