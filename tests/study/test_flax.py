"""A network with batch norm and dropout, in NNX and in Linen, is as written out."""

import re
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small
from flax import linen, nnx

import tuner
from tuner.rounds.preflight import preflight
from tuner.study.hyperparams import Hyperparams
from tuner.study.supervised import SupervisedState

INPUTS = np.random.default_rng(1).normal(size=(8, 3)).astype(np.float32)
OUTPUTS = np.random.default_rng(2).normal(size=(8, 2)).astype(np.float32)
EXAMPLES = tuner.Arrays(INPUTS, OUTPUTS)
MOMENTUM, EPSILON = 0.99, 1e-5  # Flax's batch norms', in both kinds
RATE, DROPPED = 0.1, 0.5


class NNX(nnx.Module):
    def __init__(self, rate, rngs):
        self.first = nnx.Linear(3, 16, rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.dropout = tuner.flax.Dropout(rate, rngs=rngs)
        self.last = nnx.Linear(16, 2, rngs=rngs)

    def __call__(self, x):
        return self.last(self.dropout(nnx.relu(self.norm(self.first(x)))))


class Linen(linen.Module):
    rate: float

    @linen.compact
    def __call__(self, x, train):
        x = linen.Dense(16, name="first")(x)
        x = linen.BatchNorm(use_running_average=not train, name="norm")(x)
        x = linen.relu(x)
        x = tuner.flax.dropout(self.make_rng("dropout"), self.rate, x) if train else x
        return linen.Dense(2, name="last")(x)


def loss(hyperparams, model, batch):
    x, y = batch
    error = jnp.square(model(x) - y).mean()
    return error, {"root": jnp.sqrt(error)}


def task_of(kind):
    fields = {
        "optimizer": lambda hyperparams, learning_rate: optax.sgd(learning_rate),
        "train": EXAMPLES,
        "valid": EXAMPLES,
        "batch_size": 8,
    }
    if kind == "nnx":
        return tuner.flax.nnx_task(lambda h, rngs: NNX(h.rate, rngs), loss, **fields)
    return tuner.flax.linen_task(
        lambda h: Linen(h.rate), loss, example=INPUTS[:1], **fields
    )


def statistics(state):
    """Running mean and variance of the norm."""
    extra = state.variables.extra
    norm = extra.get("batch_stats", extra)["norm"]
    return norm["mean"], norm["var"]


def hidden(state):
    """What the norm gets."""
    first = state.variables.params["first"]
    return INPUTS @ first["kernel"] + first["bias"]


def forward(state, mean, var):
    """The loss of the network written out, by given statistics, without dropout."""
    norm, last = (state.variables.params[name] for name in ("norm", "last"))
    x = (hidden(state) - mean) / np.sqrt(var + EPSILON)
    x = np.maximum(x * norm["scale"] + norm["bias"], 0)
    return np.square(x @ last["kernel"] + last["bias"] - OUTPUTS).mean()


@pytest.fixture(scope="module", params=["nnx", "linen"])
def trained(request):
    """A fresh state; one step on by two keys, and without dropout; an evaluation."""
    task = task_of(request.param)

    def train(key, rate):
        hyperparams = Hyperparams({"rate": rate})
        init_key, *step_keys = jax.random.split(key, 3)
        fresh = task.init(init_key, hyperparams)
        ways = [
            task.step(key, hyperparams, fresh, EXAMPLES.tree, RATE) for key in step_keys
        ]
        whole = hyperparams.replace(rate=0.0 * rate)
        without = task.step(step_keys[0], whole, fresh, EXAMPLES.tree, RATE)
        after = ways[0][0]
        evaluations = [task.evaluate(key, hyperparams, after) for key in step_keys]
        return fresh, ways, without, after, evaluations

    names = ("fresh", "ways", "without", "after", "evaluations")
    values = jax.device_get(jax.jit(train)(jax.random.key(0), DROPPED))
    return SimpleNamespace(**dict(zip(names, values, strict=True)))


def test_statistics_of_the_batches_move_in_training(trained):
    x = hidden(trained.fresh)
    mean, var = statistics(trained.after)
    rounding = {"rtol": 1e-4, "atol": 1e-6}  # of float32, where a mean is near 0
    np.testing.assert_allclose(mean, (1 - MOMENTUM) * x.mean(0), **rounding)
    moved = MOMENTUM + (1 - MOMENTUM) * x.var(0)
    np.testing.assert_allclose(var, moved, **rounding)


def test_an_evaluation_uses_the_statistics_and_no_dropout(trained):
    expected = forward(trained.after, *statistics(trained.after))
    recorded = trained.evaluations[0]["valid/loss"]
    assert recorded == pytest.approx(expected, rel=1e-5)  # float32


def test_an_evaluation_does_not_depend_on_its_key(trained):
    first, second = trained.evaluations
    assert first == second


def test_training_uses_the_statistics_of_its_batch(trained):
    x = hidden(trained.fresh)
    expected = forward(trained.fresh, x.mean(0), x.var(0))
    _, metrics = trained.without
    assert metrics["loss"] == pytest.approx(expected, rel=1e-5)  # float32


def test_dropout_differs_by_key_in_training(trained):
    (_, one), (_, other) = trained.ways
    _, without = trained.without
    assert len({float(m["loss"]) for m in (one, other, without)}) == 3


def test_what_the_loss_reports_is_recorded_everywhere(trained):
    _, metrics = trained.without
    assert metrics["root"] == pytest.approx(metrics["loss"] ** 0.5, rel=1e-6)  # float32
    assert trained.evaluations[0].keys() == {"valid/loss", "valid/root"}


def test_only_parameters_are_trained(trained):
    assert trained.fresh.variables.params.keys() == {"first", "norm", "last"}
    assert len(jax.tree.leaves(trained.fresh.variables.extra)) == 2


def test_a_linen_module_need_not_ask_whether_it_trains():
    task = tuner.flax.linen_task(
        lambda hyperparams: linen.Dense(2),
        loss,
        example=(INPUTS[:1],),
        optimizer=lambda hyperparams, learning_rate: optax.sgd(learning_rate),
        train=EXAMPLES,
        valid=EXAMPLES,
        batch_size=8,
    )
    params = {"kernel": np.ones((3, 2)), "bias": np.zeros(2)}
    state = SupervisedState(tuner.Variables(params, {}), None)
    metrics = task.evaluate(jax.random.key(0), Hyperparams({}), state)
    expected = np.square(INPUTS.sum(1, keepdims=True) - OUTPUTS).mean()
    assert metrics["valid/loss"] == pytest.approx(expected, rel=1e-6)  # float32


# Dropout

NUMBERS = jnp.ones(10_000)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean(rate):
    dropped = tuner.flax.dropout(jax.random.key(0), rate, NUMBERS)
    standard_error = (rate / (1 - rate)) ** 0.5 / 100
    # Four of them; the rest is float32's.
    assert dropped.mean() == pytest.approx(1, abs=4 * standard_error + 1e-6)


def test_dropout_zeros_or_scales_up():
    dropped = tuner.flax.dropout(jax.random.key(0), 0.75, NUMBERS)
    assert set(dropped.tolist()) == {0, 4}


def test_dropout_takes_a_traced_rate():
    key = jax.random.key(0)
    rates = jnp.float32([0.25, 0.75])
    both = jax.jit(jax.vmap(lambda rate: tuner.flax.dropout(key, rate, NUMBERS)))(rates)
    for row, rate in zip(both, rates.tolist(), strict=True):
        assert (row == tuner.flax.dropout(key, rate, NUMBERS)).all()


def test_dropout_keeps_the_type():
    dropped = tuner.flax.dropout(
        jax.random.key(0), jnp.float32(0.5), jnp.ones(4, jnp.bfloat16)
    )
    assert dropped.dtype == jnp.bfloat16


# Flax's own dropout compares its rate with 0 in Python


class LinenDropout(linen.Module):
    rate: float

    @linen.compact
    def __call__(self, x, train):
        x = linen.Dense(10)(x)
        return linen.Dropout(self.rate, deterministic=not train)(x)


def nnx_dropout(hyperparams, rngs):
    dense = nnx.Linear(64, 10, rngs=rngs)
    return nnx.Sequential(dense, nnx.Dropout(hyperparams.dropout, rngs=rngs))


def small_task(make, model, **more):
    def error(hyperparams, model, batch):
        pixels, labels = batch
        wrong = (model(pixels).argmax(-1) != labels).mean()
        return model(pixels).mean(), {"error": wrong}

    fields = {"train": small.TRAIN, "valid": small.VALID, "batch_size": 32}
    return make(model, error, optimizer=small.optimizer, **fields, **more)


TASKS = {
    "nnx": lambda: small_task(tuner.flax.nnx_task, nnx_dropout),
    "linen": lambda: small_task(
        tuner.flax.linen_task,
        lambda hyperparams: LinenDropout(hyperparams.dropout),
        example=small.PIXELS[:1],
    ),
}


@pytest.mark.parametrize("kind", TASKS)
def test_a_traced_rate_in_the_dropout_of_flax_is_answered(kind):
    study = small.study(
        space=small.space(dropout=tuner.Float(0, 0.5)), task=TASKS[kind]()
    )
    rule = "dropout must be declared static=True"
    remedy = "for a dropout rate use tuner.flax.Dropout (Linen: tuner.flax.dropout), wh"
    with pytest.raises(TypeError, match=f"^{rule}.*{re.escape(remedy)}"):
        preflight(study)
