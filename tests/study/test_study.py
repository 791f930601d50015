import json
import re

import numpy as np
import pytest
import small

import tuner
from tuner.study.study import describe

LONGER = tuner.LengthenConstant()

# Known answers


def test_a_plain_objective_is_minimized():
    assert small.study().target == tuner.study.study.Minimize("valid/error")


def test_an_objective_may_be_maximized():
    study = small.study(objective=tuner.Maximize("valid/error"))
    assert (study.target.metric, study.target.sign) == ("valid/error", -1)


def test_rounds_are_copied():
    rounds = [tuner.Round(trials=2, max_train_steps=10)]
    study = small.study(rounds=rounds)
    rounds.append("another")
    assert study.rounds == (tuner.Round(trials=2, max_train_steps=10),)


def test_points_are_copied():
    point = {"learning_rate": 0.1}
    round_ = tuner.Round(max_train_steps=10, points=[point])
    point["learning_rate"] = 0.2
    assert round_.points == ({"learning_rate": 0.1},)


def test_all_may_be_ranked_together():
    odd = tuner.Round(keep=3, max_train_steps=60, extend=LONGER, across="all")
    first = tuner.Round(trials=4, max_train_steps=20)
    assert small.study(rounds=[first, odd]).rounds[1].keep == 3


# The batch size


def test_the_batch_size_is_the_tasks():
    assert small.study().batch_size({"learning_rate": 0.1}) == 32


def declaring(batch_size, **changes):
    """A study whose space declares the batch size; it has 600 examples."""
    space = small.space(batch_size=batch_size)
    return small.study(space=space, task=small.task(batch_size=None), **changes)


def test_the_batch_size_is_the_spaces():
    assert declaring(tuner.Choice(16, 64)).batch_size({"batch_size": 64}) == 64


def test_the_batch_size_is_static_without_saying_so():
    configuration = {"activation": "relu", "learning_rate": 0.1, "batch_size": 16}
    static = declaring(tuner.Choice(16, 64)).static(configuration)
    assert static == {"activation": "relu", "batch_size": 16}


def test_a_step_counts_as_its_batch():
    assert declaring(tuner.Choice(16, 64)).examples_per_step({"batch_size": 16}) == 16


def test_without_batches_a_step_counts_as_the_task_says():
    task = small.task(train=None, batch_size=None, examples_per_step=7)
    assert small.study(task=task).examples_per_step({}) == 7


# The description


def test_a_description_is_json():
    point = {
        "activation": "relu",
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "warmup_steps": 0,
    }
    rounds = [tuner.Round(points=[point], max_train_steps=20)]
    described = describe(small.study(rounds=rounds))
    assert json.loads(json.dumps(described)) == described


CHANGES = {
    "name": "other",
    "goal": "Another question.",
    "space": small.space(b2=0.9),
    "task": small.task(batch_size=16),
    "objective": tuner.Maximize("valid/error"),
    "rounds": [tuner.Round(trials=2, max_train_steps=20)],
    "eval_every": 10,
    "seed": 4,
    "sampling": "random",
}


@pytest.mark.parametrize("field", CHANGES)
def test_a_description_tells_studies_apart(field):
    changed = small.study(**{field: CHANGES[field]})
    assert describe(changed) != describe(small.study())


@pytest.mark.parametrize(
    ("rule", "description"),
    [
        (LONGER, {"type": "LengthenConstant", "decay_steps": None}),
        (tuner.Stretch(), {"type": "Stretch"}),
        (max, {"function": "max"}),
    ],
)
def test_a_rule_is_described(rule, description):
    rounds = [
        tuner.Round(trials=2, max_train_steps=20),
        tuner.Round(keep=2, max_train_steps=40, extend=rule),
    ]
    described = describe(small.study(rounds=rounds))
    assert described["rounds"][1]["extend"] == description


# Errors; those that the author of a whole study meets are in rounds/test_refusals.py


def refused(error, rule, make, **changes):
    with pytest.raises(error, match=re.escape(rule)):
        make(**changes)


def test_a_round_trains_something():
    rule = "a round needs trials=, points= or keep=, but has none"
    refused(ValueError, rule, tuner.Round, max_train_steps=10)


@pytest.mark.parametrize(
    ("name", "least", "value"),
    [("max_train_steps", 1, 0), ("trials", 0, -1), ("trials", 0, True)],
)
def test_numbers_of_a_round_are_counts(name, least, value):
    rule = f"`{name} >= {least}`, a whole number, must hold, but got {name}={value}"
    numbers = {"trials": 2, "max_train_steps": 2, name: value}
    refused(ValueError, rule, tuner.Round, **numbers)


@pytest.mark.usefixtures("untyped")
def test_steps_are_whole():
    rule = (
        "`max_train_steps >= 1`, a whole number, must hold, but got max_train_steps=2"
    )
    refused(ValueError, rule, tuner.Round, trials=2, max_train_steps=2.5)


def test_trials_are_kept_by_each_or_all():
    rule = 'across must be "each" or "all", but got \'every\''
    fields = {"keep": 2, "max_train_steps": 10, "extend": LONGER}
    refused(ValueError, rule, tuner.Round, **fields, across="every")


def test_extensions_of_a_round_have_different_names():
    rule = "extensions of a round are told apart by what they are called, but got "
    several = (lambda schedule, steps: schedule, lambda schedule, steps: schedule)
    fields = {"keep": 2, "max_train_steps": 10}
    refused(ValueError, rule + "<lambda>", tuner.Round, extend=several, **fields)
    twice = (LONGER, tuner.LengthenConstant())
    refused(ValueError, rule + "LengthenC", tuner.Round, extend=twice, **fields)


def test_a_rule_needs_trials_to_keep():
    rule = "keep= and extend= go together, but got (keep=0, extend=LengthenConstant("
    refused(ValueError, rule, tuner.Round, trials=2, max_train_steps=10, extend=LONGER)


NO_FOLDERS = ["", "two words", "a/b", ".hidden", "../../x", "<b>", "a\n", "x" * 101]


@pytest.mark.parametrize("name", NO_FOLDERS)
def test_a_name_is_that_of_a_folder(name):
    rule = (
        "a study's name is a folder's: up to 100 letters, digits, '_', '.' and '-', a "
        f"letter or digit first, but got {name!r}"
    )
    refused(ValueError, rule, small.study, name=name)


def test_a_study_has_a_round():
    rule = "a study needs at least one Round, but got none"
    refused(ValueError, rule, small.study, rounds=[])


def test_evaluations_have_steps_between_them():
    rule = "`eval_every >= 1` must hold, but got eval_every=0"
    refused(ValueError, rule, small.study, eval_every=0)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_has_64_bits(seed):
    rule = f"`0 <= seed < 2**64` must hold, but got seed={seed}"
    refused(ValueError, rule, small.study, seed=seed)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("name", ["eval_every", "seed"])
def test_steps_and_seeds_are_whole(name):
    rule = f"`{name}` must be a whole number, but got 2.5"
    refused(TypeError, rule, small.study, **{name: 2.5})


LARGE = [
    tuner.Choice(700, 32),  # in whatever order
    tuner.Int(32, 700),
    tuner.Int(0, 32),
    700,
]


@pytest.mark.parametrize("batch_size", LARGE)
def test_every_declared_batch_fits_the_data(batch_size):
    rule = "`1 <= batch_size <= number of training examples` must hold, but got ("
    refused(ValueError, rule, declaring, batch_size=batch_size)


def test_the_batches_of_points_fit_the_data():
    point = {
        "activation": "relu",
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "warmup_steps": 0,
        "batch_size": 700,
    }
    rounds = [tuner.Round(points=[point], max_train_steps=20)]
    rule = "must hold, but got (batch_size=700, examples=600)"
    refused(ValueError, rule, declaring, batch_size=32, rounds=rounds)


def test_a_batch_is_of_whole_examples():
    rule = "`batch_size` must be a whole number, but got 16.0"
    refused(TypeError, rule, declaring, batch_size=tuner.Float(16, 32))


def test_a_point_is_one_of_the_space():
    rounds = [tuner.Round(points=[{"learning_rate": 1}], max_train_steps=20)]
    rule = "`0.001 <= learning_rate <= 0.1` must hold, but got (learning_rate=1.0)"
    refused(ValueError, rule, small.study, rounds=rounds)


def test_numpys_numbers_in_points_become_plain_ones():
    point = {
        "activation": "relu",
        "learning_rate": np.float32(0.5) * np.float32(0.125),
        "weight_decay": np.float64(0.01),
        "warmup_steps": np.int64(3),
    }
    rule = tuner.LengthenConstant()
    study = small.study(
        rounds=[
            tuner.Round(trials=2, points=[point], max_train_steps=20),
            tuner.Round(keep=2, max_train_steps=40, extend=rule),
        ]
    )
    assert json.dumps(describe(study))
    assert type(study.rounds[0].points[0]["warmup_steps"]) is int
