"""Which functions of a study have changed, and which only see more trials."""

import functools

import jax
import numpy as np
import optax
import pytest
import small

import tuner
from tuner.rounds.functions import functions_of
from tuner.rounds.preflight import preflight

LONGER = tuner.LengthenConstant()


def study(trials=4, points=0, rounds=2, extend=LONGER, schedule=small.schedule, **task):
    """Two rounds of a single program."""
    values = {"activation": "relu", "weight_decay": 0.01, "warmup_steps": 0}
    given = [{**values, "learning_rate": 0.01 * (1 + i)} for i in range(points)]
    planned = [
        tuner.Round(trials=trials, points=given, max_train_steps=20),
        tuner.Round(keep=2, max_train_steps=60, extend=extend),
        tuner.Round(keep=1, max_train_steps=120, extend=extend),
    ]
    space = small.space(activation="relu")
    return small.study(
        space=space, task=small.task(**task), schedule=schedule, rounds=planned[:rounds]
    )


@functools.cache
def described():
    """Of the study as it is, with points."""
    return functions_of(preflight(study(points=2))).describe()


def changed(before, now, *, values=True):
    return functions_of(preflight(now)).changed_since(before, values=values)


def init(key, hyperparams):
    return jax.tree.map(lambda a: a / 2, small.init(key, hyperparams))


def loss(key, hyperparams, params, batch):
    value, metrics = small.loss(key, hyperparams, params, batch)
    return 2 * value, metrics


def evaluate(key, hyperparams, params, batch):
    metrics = small.evaluate(key, hyperparams, params, batch)
    return {**metrics, "loss": metrics["loss"] + 1}


def optimizer(hyperparams, learning_rate):
    decay = 2 * hyperparams.weight_decay
    return optax.adamw(learning_rate, weight_decay=decay)


def augment(key, hyperparams, batch):
    return batch[0] + 1, batch[1]


def schedule(hyperparams, max_train_steps):
    """Another for one trial in four."""
    peak = hyperparams.learning_rate
    longer = 6 if peak > 0.03 else hyperparams.warmup_steps
    return tuner.warmup_constant_decay(
        peak, max_train_steps, warmup_steps=longer, decay_fraction=0.5
    )


CHANGES = {
    "init": {"init": init},
    "loss": {"loss": loss},
    "evaluate": {"evaluate": evaluate},
    "optimizer": {"optimizer": optimizer},
    "augment": {"augment": augment},
    "schedule": {"schedule": schedule},
}


@pytest.mark.parametrize(("name", "change"), CHANGES.items(), ids=CHANGES)
def test_each_is_named(name, change):
    assert changed(described(), study(points=2, **change)) == [name]


GROWN = {
    "nothing": {},
    "more trials": {"trials": 8},
    "more points": {"points": 3},
    "a round more": {"rounds": 3},
    "a round fewer": {"rounds": 1},
}


@pytest.mark.parametrize("change", GROWN.values(), ids=GROWN)
def test_growing_is_no_change(change):
    assert changed(described(), study(**{"points": 2, **change})) == []


def test_a_schedule_is_compared_on_the_trials_that_there_were():
    assert changed(described(), study(trials=8, points=3, schedule=schedule)) == [
        "schedule"
    ]


def by_function(scale):
    """A schedule that is a plain function of the count."""

    def schedule(hyperparams, max_train_steps):
        return lambda count: scale * hyperparams.learning_rate * 0.9**count

    return schedule


def test_a_schedule_that_is_a_function_is_known_by_its_rates():
    before = functions_of(
        preflight(study(rounds=1, schedule=by_function(1)))
    ).describe()
    again, other = (study(rounds=1, schedule=by_function(s)) for s in (1, 1.001))
    assert changed(before, again) == []
    assert changed(before, other) == ["schedule"]
    assert changed(before, other, values=False) == []


def own(steps):
    """A rule of the user's own."""

    def extend(schedule, max_train_steps):
        return tuner.LengthenConstant(decay_steps=steps)(schedule, max_train_steps)

    return extend


def test_an_extension_of_ones_own_is_known_by_what_it_makes_of_trials():
    before = functions_of(preflight(study(extend=own(5)))).describe()
    assert set(before["extend"]) == {"round 1, in round 2"}
    assert changed(before, study(extend=own(5), trials=8, rounds=3)) == []
    assert changed(before, study(extend=own(6))) == ["extend"]


def test_data_is_no_function():
    other = tuner.Arrays(np.zeros_like(small.PIXELS[:200]), small.LABELS[:200])
    assert changed(described(), study(points=2, valid=other)) == []
