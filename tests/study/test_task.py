import re

import jax
import jax.numpy as jnp
import pytest

import tuner
from tuner.study.task import Task, bind, check_metrics


class Scale(Task):
    """A task whose state is a number, and whose step multiplies it by its data."""

    data = jnp.float32(2)

    def init(self, key, hyperparams):
        return jnp.float32(1)

    def step(self, key, hyperparams, state, learning_rate):
        return state * self.data, {"loss": state}

    def evaluate(self, key, hyperparams, state):
        return {"value": state}


def test_a_bound_task_reads_the_other_data():
    bound = bind(Scale(), jnp.float32(3))
    assert bound.step(None, None, 5.0, 0.1)[0] == 15


def test_binding_leaves_the_task_as_it_was():
    task = Scale()
    bind(task, jnp.float32(3))
    assert task.step(None, None, 5.0, 0.1)[0] == 10


def test_bound_data_can_be_traced():
    def step(data):
        return bind(Scale(), data).step(None, None, 5.0, 0.1)[0]

    assert jax.jit(step)(jnp.float32(4)) == 20


def test_all_of_a_state_is_kept_unless_the_task_says_otherwise():
    state = {"a": 1, "b": 2}
    assert Scale().kept(state) is state


def test_without_data_a_step_counts_as_one_example():
    assert Scale().examples_per_step == 1


@pytest.mark.parametrize("pair", [tuner.Variables(1, {"mean": 2}), tuner.Sum(3)])
def test_variables_and_sums_are_trees(pair):
    doubled = jax.tree.map(lambda leaf: 2 * leaf, pair)
    assert type(doubled) is type(pair)
    assert jax.tree.leaves(doubled) == [2 * leaf for leaf in jax.tree.leaves(pair)]


def test_scalars_and_sums_of_scalars_are_metrics():
    check_metrics("evaluate", {"loss": 0.5, "hits": tuner.Sum(jnp.int32(3))})


# Errors


def test_a_task_without_its_functions_cannot_be_made():
    with pytest.raises(TypeError, match="Can't instantiate abstract class Task"):
        Task()


def test_metrics_without_names_are_refused():
    rule = "metrics are a dictionary of scalars, but evaluate returns a tuple: return {"
    with pytest.raises(TypeError, match=re.escape(rule)):
        check_metrics("evaluate", (0.5, {}))


@pytest.mark.parametrize("make", [jnp.zeros, lambda n: tuner.Sum(jnp.zeros(n))])
def test_a_metric_that_is_no_scalar_is_refused(make):
    rule = "a metric is a scalar, but evaluate returns error of shape [3]: take its"
    with pytest.raises(ValueError, match=re.escape(rule)):
        check_metrics("evaluate", {"loss": 0.5, "error": make(3)})
