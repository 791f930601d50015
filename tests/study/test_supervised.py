import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small

import tuner
from tuner.rounds.preflight import preflight
from tuner.study import evaluation
from tuner.study.hyperparams import Hyperparams
from tuner.study.supervised import SupervisedState

KEY = jax.random.key(0)
RATE = 0.1
NOTHING = Hyperparams({})
EXAMPLES = tuner.Arrays(np.float32([[1, 2], [3, 4], [5, 9]]))


def init(key, hyperparams):
    return jnp.float32([3, 4])


def loss(key, hyperparams, params, batch):
    """Half the squared distance to the mean example."""
    return jnp.square(params - batch.mean(0)).sum() / 2, {}


def evaluate(key, hyperparams, params, batch):
    return {"loss": loss(key, hyperparams, params, batch)[0]}


def make(**changes):
    fields = {
        "init": init,
        "loss": loss,
        "evaluate": evaluate,
        "optimizer": lambda hyperparams, learning_rate: optax.sgd(learning_rate),
        "train": EXAMPLES,
        "valid": EXAMPLES,
    }
    return tuner.SupervisedTask(**(fields | changes))


def evaluated(evaluate, numbers, key=KEY, **changes):
    """The metrics of a set of numbers."""
    task = make(evaluate=evaluate, valid=tuner.Arrays(numbers), **changes)
    return task.evaluate(key, NOTHING, SupervisedState(None, None))


# A step


def test_a_step_goes_down_the_gradient():
    """From (3, 4) to an example at 0: loss 25 / 2, gradient (3, 4), length 5."""
    task = make()
    state = task.init(KEY, NOTHING)
    state, metrics = task.step(KEY, NOTHING, state, jnp.zeros((1, 2)), RATE)
    np.testing.assert_allclose(state.variables, [2.7, 3.6], rtol=1e-6)  # float32
    assert metrics == {
        "loss": 12.5,
        "grad_norm": 5,
        "update_norm": pytest.approx(0.5, rel=1e-6),  # float32
    }


def test_what_a_loss_reports_is_recorded_beside_it():
    def with_spread(key, hyperparams, params, batch):
        return params.sum(), {"spread": batch.max() - batch.min()}

    task = make(loss=with_spread)
    state = task.init(KEY, NOTHING)
    _, metrics = task.step(KEY, NOTHING, state, EXAMPLES.tree, RATE)
    assert (metrics["loss"], metrics["spread"]) == (7, 8)


def test_a_task_without_data_has_no_batch():
    def distance(key, hyperparams, params, batch):
        assert batch is None
        return jnp.square(params).sum() / 2, {}

    task = make(train=None, examples_per_step=7, loss=distance)
    state = task.init(KEY, NOTHING)
    _, metrics = task.step(KEY, NOTHING, state, RATE)
    assert metrics["loss"] == 12.5


def test_the_best_of_a_supervised_task_are_its_variables():
    assert make().kept(SupervisedState("variables", "optimizer")) == "variables"


# Augmentation


def test_augmentation_changes_what_is_trained_on():
    task = make(augment=lambda key, hyperparams, batch: 0 * batch)
    state = task.init(KEY, NOTHING)
    _, metrics = task.step(KEY, NOTHING, state, EXAMPLES.tree, RATE)
    assert metrics["loss"] == 12.5  # as of an example at 0


def test_augmentation_leaves_evaluation_alone():
    task = make(augment=lambda key, hyperparams, batch: 0 * batch)
    state = task.init(KEY, NOTHING)
    assert task.evaluate(KEY, NOTHING, state) == make().evaluate(KEY, NOTHING, state)


# Shared arrays

FROZEN = np.arange(10.0).reshape(2, 5)


def shared_task():
    """Each function uses what is shared, whose shape no other array has."""
    return make(
        init=lambda key, hyperparams, shared: jnp.ones(shared.shape[1]),
        loss=lambda key, hyperparams, params, batch, shared: (
            (batch @ shared @ params).mean(),
            {},
        ),
        evaluate=lambda key, hyperparams, params, batch, shared: {
            "loss": (batch @ shared @ params).mean()
        },
        optimizer=lambda hyperparams, learning_rate: optax.adam(learning_rate),
        shared=FROZEN,
    )


def test_what_is_shared_is_passed_to_every_function():
    """The mean example is (3, 5); FROZEN's rows sum to 10 and 35."""
    task = shared_task()
    state = task.init(KEY, NOTHING)
    assert task.evaluate(KEY, NOTHING, state) == {"valid/loss": 3 * 10 + 5 * 35}
    _, metrics = task.step(KEY, NOTHING, state, EXAMPLES.tree, RATE)
    assert metrics["loss"] == 205


def test_what_is_shared_is_in_no_state():
    task = shared_task()
    state = task.init(KEY, NOTHING)
    state, _ = task.step(KEY, NOTHING, state, EXAMPLES.tree, RATE)
    assert {leaf.shape for leaf in jax.tree.leaves(state)} == {(5,), ()}


def test_what_is_shared_is_in_no_gradient():
    """By the parameters alone it is FROZEN's columns weighted by the mean example."""
    task = shared_task()
    state = task.init(KEY, NOTHING)
    _, metrics = task.step(KEY, NOTHING, state, EXAMPLES.tree, RATE)
    length = np.linalg.norm([3, 5] @ FROZEN)
    assert metrics["grad_norm"] == pytest.approx(length, rel=1e-6)  # float32


def test_what_is_shared_becomes_arrays_of_32_bits():
    task = make(shared={"scale": 2.0, "frozen": FROZEN})
    leaves = jax.tree.leaves(task.data["shared"])
    assert [leaf.dtype for leaf in leaves] == [np.float32, np.float32]


# Variables without a gradient


def running_mean(hyperparams, extra, tally):
    count = extra["count"] + 1
    return {"count": count, "mean": extra["mean"] + (tally - extra["mean"]) / count}


def centred(key, hyperparams, variables, batch):
    distance = jnp.square(variables.params - variables.extra["mean"]).sum()
    return distance, {}, batch.mean(0)


def variables(key, hyperparams):
    extra = {"count": jnp.float32(0), "mean": jnp.zeros(2)}
    return tuner.Variables(jnp.ones(2), extra)


def running_task(**changes):
    functions = {"init": variables, "loss": centred, "advance": running_mean}
    return make(
        evaluate=lambda key, hyperparams, variables, batch: {
            "loss": variables.extra["mean"].sum()
        },
        **(functions | changes),
    )


@pytest.fixture(scope="module")
def after_steps():
    """The state after batches of numbers, and the batches."""
    task = running_task()
    batches = np.random.default_rng(0).normal(size=(7, 4, 2)).astype(np.float32)
    state = task.init(KEY, NOTHING)
    for batch in batches:
        state, _ = task.step(KEY, NOTHING, state, batch, RATE)
    return state, batches


def test_tallies_are_folded_in_after_each_update(after_steps):
    state, batches = after_steps
    mean = batches.mean((0, 1), dtype=np.float64)
    # Seven updates in float32 of numbers about 1.
    np.testing.assert_allclose(state.variables.extra["mean"], mean, atol=1e-6)
    assert state.variables.extra["count"] == 7


def test_what_has_no_gradient_has_no_place_in_the_optimizer(after_steps):
    task = running_task(
        optimizer=lambda hyperparams, learning_rate: optax.adam(learning_rate)
    )
    moments = jax.tree.leaves(task.init(KEY, NOTHING).optimizer)
    assert sorted(leaf.shape for leaf in moments) == [(), (2,), (2,)]


def test_an_evaluation_reads_what_has_no_gradient(after_steps):
    state, batches = after_steps
    metrics = running_task().evaluate(KEY, NOTHING, state)
    mean = batches.mean((0, 1), dtype=np.float64)
    assert metrics["valid/loss"] == pytest.approx(mean.sum(), abs=1e-6)  # float32


def test_without_advance_the_extra_stays_as_it_is():
    task = running_task(advance=None)
    state = task.init(KEY, NOTHING)
    state, _ = task.step(KEY, NOTHING, state, EXAMPLES.tree, RATE)
    assert state.variables.extra["count"] == 0


# Evaluation in batches of four


@pytest.fixture
def batches_of_four(monkeypatch):
    monkeypatch.setattr(evaluation, "BATCH", 4)


@pytest.mark.usefixtures("batches_of_four")
@pytest.mark.parametrize("examples", range(1, 14))
def test_every_example_counts_once_whatever_remains(examples):
    """The digits of the sum, in base 2, are the examples that were in it."""
    powers = 2 ** np.arange(examples, dtype=np.int32)
    metrics = evaluated(lambda k, h, p, batch: {"sum": tuner.Sum(batch.sum())}, powers)
    assert metrics == {"valid/sum": 2**examples - 1}


@pytest.mark.usefixtures("batches_of_four")
@pytest.mark.parametrize("examples", range(1, 14))
def test_the_mean_of_batches_is_the_mean_of_all(examples):
    numbers = np.random.default_rng(examples).normal(size=examples)
    metrics = evaluated(lambda k, h, p, batch: {"mean": batch.mean()}, numbers)
    # Thirteen numbers of about 1, summed in float32.
    assert metrics["valid/mean"] == pytest.approx(numbers.mean(), abs=1e-6)


@pytest.mark.usefixtures("batches_of_four")
def test_means_of_16_bits_are_averaged_in_32():
    """In bfloat16, where 0.5 is the step at 86, this mean of 256, 1, 1 is not 86."""
    numbers = np.repeat([256, 1, 1], 4)
    metrics = evaluated(
        lambda k, h, p, batch: {"mean": batch.mean().astype(jnp.bfloat16)}, numbers
    )
    assert metrics["valid/mean"] == pytest.approx(86, rel=1e-6)  # float32


@pytest.mark.usefixtures("batches_of_four")
def test_each_batch_of_an_evaluation_has_a_key_of_its_own():
    metrics = evaluated(
        lambda key, h, p, batch: {"draw": jax.random.uniform(key)}, np.zeros(10)
    )
    draws = [float(jax.random.uniform(jax.random.fold_in(KEY, i))) for i in range(3)]
    weighted = np.average(draws, weights=[4, 4, 2])
    assert metrics["valid/draw"] == pytest.approx(weighted, rel=1e-6)  # float32


# Sums and sets

LABELS, PREDICTED = np.array(
    [
        # three hits, two false alarms, two misses
        [1, 1, 1, 0, 0, 1, 0, 1, 0, 0],
        [1, 0, 1, 1, 0, 1, 0, 0, 0, 1],
    ]
)


def counts(key, hyperparams, params, batch):
    labels, predicted = batch
    return {
        "loss": jnp.float32(1),
        "hits": tuner.Sum((labels & predicted).sum()),
        "wrong": tuner.Sum((labels != predicted).sum()),
    }


@pytest.fixture
def judged(batches_of_four):
    def judge(**changes):
        task = make(evaluate=counts, valid=tuner.Arrays(LABELS, PREDICTED), **changes)
        return task.evaluate(KEY, NOTHING, SupervisedState(None, None))

    return judge


def test_a_sum_is_its_total_over_the_set(judged):
    metrics = judged()
    assert (metrics["valid/hits"], metrics["valid/wrong"]) == (3, 4)


def test_sums_are_finished_by_summarize(judged):
    """F1 = 2 hits / (2 hits + false alarms + misses) = 6 / 10, of no batch a mean."""

    def f1(totals):
        return {"f1": 2 * totals["hits"] / (2 * totals["hits"] + totals["wrong"])}

    metrics = judged(summarize=f1)
    assert metrics["valid/f1"] == pytest.approx(0.6, rel=1e-6)  # float32


def test_summarize_leaves_the_means_as_they_are(judged):
    assert judged(summarize=lambda totals: {}) == {"valid/loss": 1}


def test_every_set_has_its_name_before_its_metrics():
    sets = {"train": tuner.Arrays(np.zeros((1, 2))), "far": EXAMPLES}
    metrics = make(evaluate_on=sets).evaluate(
        KEY, NOTHING, SupervisedState(jnp.float32([3, 4]), None)
    )
    assert metrics == {"valid/loss": 0.5, "train/loss": 12.5, "far/loss": 0.5}


def test_a_set_named_by_evaluate_on_is_enough():
    task = make(valid=None, evaluate_on={"dev": EXAMPLES})
    state = SupervisedState(jnp.float32([3, 4]), None)
    assert task.evaluate(KEY, NOTHING, state) == {"dev/loss": 0.5}


# Errors


def refused(error, rule, **changes):
    with pytest.raises(error, match=re.escape(rule)):
        make(**changes)


def refused_in_a_step(rule, **changes):
    task = make(**changes)
    state = task.init(KEY, NOTHING)
    with pytest.raises(TypeError, match=re.escape(rule)):
        task.step(KEY, NOTHING, state, EXAMPLES.tree, RATE)


def test_a_loss_without_metrics_is_refused():
    refused_in_a_step(
        "loss must return (loss, metrics) where init returns plain params, but got a ",
        loss=lambda key, hyperparams, params, batch: params.sum(),
    )


def test_a_loss_without_a_tally_is_refused_beside_variables():
    refused_in_a_step(
        "loss must return (loss, metrics, tally) where init returns Variables, but got "
        "a tuple of 2",
        init=variables,
        loss=lambda key, hyperparams, variables, batch: (variables.params.sum(), {}),
    )


def test_advance_without_variables_is_refused():
    refused_in_a_step(
        "advance= needs an init that returns tuner.Variables(params, extra), but it ",
        advance=running_mean,
    )


def test_metrics_of_an_evaluation_have_names():
    with pytest.raises(TypeError, match="metrics are a dictionary of scalars, but ev"):
        evaluated(lambda key, h, p, batch: (batch.mean(), {}), np.zeros(3))


@pytest.mark.usefixtures("batches_of_four")
def test_a_metric_of_single_examples_is_refused_where_a_batch_is_partial():
    with pytest.raises(ValueError, match=r"evaluate returns error of shape \[4\]: "):
        evaluated(lambda key, h, p, batch: {"error": batch}, np.zeros(7))


def test_a_task_without_data_says_what_a_step_counts_as():
    rule = "must say what a step counts as: examples_per_step="
    refused(ValueError, rule, train=None)


def test_a_task_with_data_does_not_say_what_a_step_counts_as():
    rule = "examples_per_step is for tasks without batches, but train= is given"
    refused(ValueError, rule, examples_per_step=3)


def test_a_step_counts_as_one_example_at_least():
    rule = "`examples_per_step >= 1` must hold, but got 0"
    refused(ValueError, rule, train=None, examples_per_step=0)


def test_a_batch_size_needs_data():
    rule = "batch_size=8 needs training examples, but got train=None: pass train="
    refused(ValueError, rule, train=None, examples_per_step=1, batch_size=8)


def test_a_task_is_judged_on_examples():
    refused(ValueError, "judged on: pass valid=tuner.Arrays(...)", valid=None)


def test_no_two_sets_have_one_name():
    rule = "valid= is given and evaluate_on names another `valid`: rename that one"
    refused(ValueError, rule, evaluate_on={"valid": tuner.Arrays(np.zeros(3))})


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("train", "are tuner.Arrays or a tuner.Source, but got a tuple as train: wrap"),
        ("valid", "examples are tuner.Arrays, but got a tuple as valid: wrap it"),
    ],
)
def test_examples_are_wrapped(name, rule):
    refused(TypeError, rule, **{name: (np.zeros(3), np.zeros(3))})


@pytest.mark.usefixtures("untyped")
def test_evaluation_sets_are_held_in_memory():
    rule = "sets are tuner.Arrays, but got a Source as valid: read it all into memory, "
    refused(TypeError, rule, valid=tuner.Source(range(3)))


def test_a_metric_of_a_name_that_is_ours_is_refused():
    def loss(key, hyperparams, params, batch):
        mean, metrics = small.loss(key, hyperparams, params, batch)
        return mean, {**metrics, "update_norm": mean}

    with pytest.raises(ValueError, match="loss returns a metric 'update_norm'"):
        preflight(small.study(task=small.task(loss=loss)))
