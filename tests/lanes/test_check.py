"""What a group records is known, and its mistakes are found, without compiling it."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small

import tuner
from tuner.lanes.check import check
from tuner.lanes.compilations import compilations
from tuner.rounds.groups import make_group, traced
from tuner.rounds.preflight import preflight
from tuner.rounds.trials import planned


def checked(**changes):
    """The signature of the small study's first group."""
    study = small.study(**changes)
    trial = next(planned(study, 1))
    return check(make_group(study, trial), traced(study, trial))


def refused(error, rule, **changes):
    with pytest.raises(error, match=re.escape(rule)):
        checked(**changes)


@pytest.fixture(scope="module")
def signature():
    return checked()


# Known answers


def test_a_step_records_what_the_loss_reports_and_the_norms(signature):
    assert set(signature.train) == {"loss", "error", "grad_norm", "update_norm"}


def test_an_evaluation_records_full_names(signature):
    assert set(signature.valid) == {"valid/loss", "valid/error"}


def test_parameters_are_the_numbers_kept_of_the_best(signature):
    assert signature.parameters == 64 * 16 + 16 + 16 * 10


def test_whole_numbers_are_no_parameters():
    def counting(key, hyperparams):
        return tuner.Variables(small.init(key, hyperparams), {"count": jnp.int32(0)})

    def loss(key, hyperparams, variables, batch):
        return *small.loss(key, hyperparams, variables.params, batch), None

    def evaluate(key, hyperparams, variables, batch):
        return small.evaluate(key, hyperparams, variables.params, batch)

    task = small.task(init=counting, loss=loss, evaluate=evaluate)
    assert checked(task=task).parameters == 64 * 16 + 16 + 16 * 10


def test_a_lane_carries_parameters_moments_the_best_and_little_else(signature):
    """Adam has two moments; key 8, three hyperparameters 12, count 4, best 8, ok 1."""
    assert signature.lane_bytes == 4 * 4 * 1200 + 8 + 12 + 4 + 8 + 1


def test_nothing_is_compiled():
    before = compilations()
    checked()
    assert compilations() == before


def test_a_static_number_may_set_a_shape():
    width = tuner.Choice(4, 8, static=True)
    task = small.task(init=init_of_width)
    assert checked(space=small.space(width=width), task=task).parameters in (300, 600)


def init_of_width(key, hyperparams):
    width = hyperparams.width
    return {
        "w1": jnp.zeros((64, width)),
        "b1": jnp.zeros(width),
        "w2": jnp.zeros((width, 10)),
    }


# A traced number where a known one is needed


def test_the_hyperparameter_that_sets_a_shape_is_named_alone():
    rule = "width must be declared static=True: it is used as a shape or in an `if`"
    space = small.space(width=tuner.Int(4, 8))
    refused(TypeError, rule, space=space, task=small.task(init=init_of_width))


def test_several_that_must_be_known_are_named_together():
    def loss(key, hyperparams, params, batch):
        if hyperparams.weight_decay > 0.1 or hyperparams.warmup_steps > 3:
            batch = jax.tree.map(lambda leaf: leaf[:16], batch)
        return small.loss(key, hyperparams, params, batch)

    rule = "weight_decay and warmup_steps must be declared static=True: they are used"
    refused(TypeError, rule, task=small.task(loss=loss))


def test_a_mistake_of_types_is_not_blamed_on_a_hyperparameter():
    """The moments of 16-bit parameters become 32-bit ones by the traced b1."""

    def init(key, hyperparams):
        params = small.init(key, hyperparams)
        return jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)

    def optimizer(hyperparams, learning_rate):
        return optax.adam(learning_rate, b1=hyperparams.b1)

    rule = "is bfloat16[16] after init and float32[16] after a step: hyperparameters "
    space = small.space(b1=tuner.Float(0.8, 0.99))
    task = small.task(init=init, optimizer=optimizer)
    refused(TypeError, rule, space=space, task=task)


def test_any_other_mistake_is_left_as_it_is():
    def loss(key, hyperparams, params, batch):
        return "text" + 1, {}

    refused(TypeError, "can only concatenate str", task=small.task(loss=loss))


# What a step carries on


class Carrying(tuner.study.task.Task):
    """A task of a given state, which one step makes another."""

    def __init__(self, before, after):
        self.before, self.after = before, after

    def init(self, key, hyperparams):
        return jax.tree.map(jnp.asarray, self.before)

    def step(self, key, hyperparams, state, learning_rate):
        return self.after, {"loss": jnp.float32(0)}

    def evaluate(self, key, hyperparams, state):
        return {"loss": jnp.float32(0)}


CARRIED = [
    # after init               after a step               where they differ
    ({"a": np.zeros(2)}, {"a": np.zeros(3)}, "state.a is float32[2] after init and f"),
    ({"a": np.int32(0)}, {"a": np.float32(0)}, "state.a is int32[] after init and fl"),
    (np.int32(0), np.float32(0), "state is int32[] after init and float32[] after"),
    ({"a": np.zeros(2)}, {"b": np.zeros(2)}, "differ at state.a, state.b: return all"),
    ({"a": np.zeros(2)}, {}, "differ at state.a: return all of it, and nothing else"),
]


@pytest.mark.parametrize(("before", "after", "difference"), CARRIED)
def test_a_state_keeps_its_structure_and_types(before, after, difference):
    refused(TypeError, difference, task=Carrying(before, after), objective="valid/loss")


def test_a_key_may_be_carried():
    class Keyed(Carrying):
        def init(self, key, hyperparams):
            return {"key": key}

        def step(self, key, hyperparams, state, learning_rate):
            return {"key": jax.random.split(state["key"])[0]}, {"loss": jnp.float32(0)}

    assert checked(task=Keyed(None, None), objective="valid/loss").train == ("loss",)


# Metrics


def test_an_evaluation_without_metrics_has_no_objective():
    task = small.task(evaluate=lambda key, hyperparams, params, batch: {})
    refused(ValueError, "but got 'valid/error'; there are: none", task=task)


def test_the_metrics_there_are_come_nearest_first():
    rule = "but got 'valid/los'; there are: valid/loss, valid/error"
    refused(ValueError, rule, objective="valid/los")


def test_two_leaves_of_one_path_are_refused():
    """A snapshot knows leaves by their dotted paths."""
    task = small.task(
        init=lambda key, hyperparams: {
            "a.b": jnp.zeros(2),
            "a": {"b": jnp.zeros(3)},
            **small.init(key, hyperparams),
        }
    )
    study = small.study(task=task)
    with pytest.raises(ValueError, match="must have different dotted paths"):
        preflight(study)
