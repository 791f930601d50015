import numpy as np
import pytest

import tuner
from tuner.rounds.schedules import as_schedules, branch_step, extend, shared_steps
from tuner.rounds.schedules import rates as rates_of

LINEAR = tuner.warmup_constant_decay(1.0, 100, warmup_steps=10, decay_steps=40)
COSINE = tuner.cosine(1.0, 100, warmup_steps=10)
FLAT = tuner.warmup_constant_decay(1.0, 100, decay="none")


def longer(rule, steps=300):
    return tuner.Round(keep=1, max_train_steps=steps, extend=rule)


BRANCHES = [
    # schedule  next round's rule          branch (evaluations are 25 apart)
    (LINEAR, None, 50),  # decay begins at 60
    (LINEAR, tuner.LengthenConstant(), 50),
    (LINEAR, tuner.Stretch(), 50),  # the plateau is shared
    (LINEAR, lambda schedule, steps: lambda count: 1.0, None),  # warm-up differs
    (COSINE, None, None),  # only its 10 steps of warm-up are shared
    (COSINE, tuner.Stretch(), None),
    (FLAT, None, None),  # all of it is shared: the last state serves
    (FLAT, tuner.LengthenConstant(), None),
]


@pytest.mark.parametrize(("schedule", "rule", "expected"), BRANCHES)
def test_the_branch_is_the_last_evaluation_before_schedules_part(
    schedule, rule, expected
):
    following = longer(rule) if rule else None
    schedules = as_schedules(schedule)
    assert branch_step(schedules, 100, 25, following) == expected


def test_every_named_schedule_must_agree_up_to_the_branch():
    """The rate agrees for 60 updates, the decay's weight for 30."""
    decay = tuner.warmup_constant_decay(0.1, 100, decay_steps=70)
    schedules = as_schedules({"weight_decay": decay, "learning_rate": LINEAR})
    assert branch_step(schedules, 100, 25, longer(tuner.LengthenConstant())) == 25


def test_the_learning_rate_comes_first():
    named = as_schedules({"weight_decay": FLAT, "learning_rate": LINEAR})
    assert list(named) == ["learning_rate", "weight_decay"]


def test_a_dictionary_without_a_learning_rate_is_refused():
    with pytest.raises(ValueError, match="must have the entry 'learning_rate'"):
        as_schedules({"rate": LINEAR})


def test_a_number_is_no_schedule():
    with pytest.raises(TypeError, match=r"must return a tuner.Schedule or a function"):
        as_schedules(0.1)


def test_a_function_beside_the_rate_goes_on_as_it_is():
    def clip(count):
        return 1.0

    schedules = as_schedules({"learning_rate": LINEAR, "clip": clip})
    child = extend(tuner.LengthenConstant(), schedules, 300)
    assert child["clip"] is clip
    assert child["learning_rate"].constant_steps == 250


def test_a_function_as_the_rate_needs_a_rule_of_the_users_own():
    schedules = as_schedules(lambda count: 0.1)
    with pytest.raises(TypeError, match="pass as extend= a function"):
        extend(tuner.Stretch(), schedules, 300)
    child = extend(lambda schedule, steps: schedule, schedules, 300)
    old, new = rates_of(schedules, 100), rates_of(child, 300)
    assert shared_steps(old, new) == 100
    np.testing.assert_array_equal(new["learning_rate"], np.full(300, 0.1, np.float32))


@pytest.mark.parametrize("name", ["trial", "step", "examples"])
def test_a_schedule_cannot_have_a_columns_name(name):
    with pytest.raises(ValueError, match=f"there is a column {name!r} already"):
        as_schedules({"learning_rate": LINEAR, name: FLAT})
