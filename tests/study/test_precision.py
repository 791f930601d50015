"""Computing in 16 bits beside hyperparameters, moments and metrics of 32."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import polars as pl
import pytest
import small

import tuner
from tuner.lanes.check import check
from tuner.lanes.trial import begin, initial_state
from tuner.rounds.groups import make_group, traced
from tuner.rounds.trials import planned
from tuner.study.hyperparams import Hyperparams
from tuner.study.supervised import SupervisedState

KEY = jax.random.key(0)
EXAMPLES = jax.tree.map(lambda a: a[:32], small.TRAIN.tree)
HYPERPARAMS = Hyperparams({"activation": "tanh", "weight_decay": 0.1, "b": 0.9})


def half(tree):
    def cast(a):
        return a.astype(jnp.bfloat16) if jnp.issubdtype(a.dtype, jnp.floating) else a

    return jax.tree.map(cast, tree)


def half_init(key, hyperparams):
    return half(small.init(key, hyperparams))


def half_loss(key, hyperparams, params, batch):
    return small.loss(key, hyperparams, *half((params, batch)))


def in_float32(inner):
    """The optimizer with moments, gradients and parameters of 32 bits."""

    def cast(tree):
        return jax.tree.map(lambda a: a.astype(jnp.float32), tree)

    def init(params):
        return inner.init(cast(params))

    def update(updates, state, params=None):
        return inner.update(cast(updates), state, cast(params))

    return optax.GradientTransformation(init, update)


OPTIMIZERS = {
    "adam": lambda h, rate: optax.adam(rate, b1=h.b),
    "sgd": lambda h, rate: optax.sgd(rate, momentum=h.b),
    "lion": lambda h, rate: optax.lion(rate, b2=h.b),
    "rmsprop": lambda h, rate: optax.rmsprop(rate, decay=h.b),
    "muon": lambda h, rate: optax.contrib.muon(rate, beta=h.b),
    "schedule_free": lambda h, rate: optax.contrib.schedule_free_adamw(rate, b1=h.b),
    "prodigy": lambda h, rate: optax.contrib.prodigy(rate, betas=(h.b, 0.999)),
    "clip": lambda h, rate: optax.chain(
        optax.clip_by_global_norm(h.b), optax.adam(rate)
    ),
}


def group_of(**changes):
    """The program of a small study that searches b, and one trial's b."""
    space = small.space(b=tuner.Float(0.8, 0.99))
    study = small.study(space=space, task=small.task(**changes))
    trial = next(planned(study, 1))
    return make_group(study, trial), traced(study, trial)


def arguments_of(group):
    """The types of data, numbers and hyperparameters that a trial begins with."""
    return (
        jax.eval_shape(lambda data: data, group.data),
        jax.ShapeDtypeStruct((3,), np.uint32),
        {name: jax.ShapeDtypeStruct((), d) for name, d in group.traced.items()},
    )


def types(tree):
    return {str(leaf.dtype) for leaf in jax.tree.leaves(tree)}


# Parameters of 32 bits, cast in the loss


def test_a_loss_that_casts_computes_in_16_bits():
    params = small.init(KEY, HYPERPARAMS)
    traced = jax.make_jaxpr(half_loss, static_argnums=1)(
        KEY, HYPERPARAMS, params, EXAMPLES
    )
    products = [e for e in traced.eqns if e.primitive.name == "dot_general"]
    assert len(products) == 2
    assert types([e.outvars[0].aval for e in products]) == {"bfloat16"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_optimizer_takes_a_loss_that_casts(name):
    check(*group_of(loss=half_loss, optimizer=OPTIMIZERS[name]))


def test_a_step_that_casts_is_a_step_to_the_rounding_of_16_bits():
    fields = {"optimizer": OPTIMIZERS["sgd"]}
    casting, plain = small.task(loss=half_loss, **fields), small.task(**fields)
    state = plain.init(KEY, HYPERPARAMS)
    after, metrics = casting.step(KEY, HYPERPARAMS, state, EXAMPLES, 0.1)
    expected, other = plain.step(KEY, HYPERPARAMS, state, EXAMPLES, 0.1)
    assert types(after) == {"float32"}
    # bfloat16 has 8 bits: 1/256 a rounding, of which a few add up.
    assert float(metrics["loss"]) == pytest.approx(float(other["loss"]), rel=0.02)
    change = optax.tree.norm(optax.tree.sub(after.variables, expected.variables))
    assert 0 < change < 0.05 * other["update_norm"]


# Parameters of 16 bits


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_optimizer_that_works_in_float32_takes_parameters_of_16_bits(name):
    def optimizer(hyperparams, rate):
        return in_float32(OPTIMIZERS[name](hyperparams, rate))

    group, example = group_of(init=half_init, loss=half_loss, optimizer=optimizer)
    check(group, example)
    state = jax.eval_shape(
        functools.partial(initial_state, group), *arguments_of(group)
    )
    assert types(state.variables) == {"bfloat16"}
    assert "bfloat16" not in types(state.optimizer)


def test_moments_of_32_bits_are_those_of_the_same_gradients():
    """Adam's first step by hand: m = (1 - b1) g, v = (1 - b2) g**2."""

    def optimizer(hyperparams, rate):
        return in_float32(OPTIMIZERS["adam"](hyperparams, rate))

    task = small.task(init=half_init, loss=half_loss, optimizer=optimizer)
    state = task.init(KEY, HYPERPARAMS)
    gradient = jax.grad(lambda p: half_loss(KEY, HYPERPARAMS, p, EXAMPLES)[0])
    wide = gradient(state.variables)["w1"].astype(jnp.float32)
    after, _ = task.step(KEY, HYPERPARAMS, state, EXAMPLES, 0.1)
    moments = after.optimizer[0]
    # Rounding of float32 alone.
    np.testing.assert_allclose(moments.mu["w1"], 0.1 * wide, rtol=1e-5)
    np.testing.assert_allclose(moments.nu["w1"], 0.001 * wide**2, rtol=1e-5)


def test_micro_batches_are_added_up_in_32_bits():
    group, _ = group_of(
        init=half_init,
        optimizer=lambda hyperparams, rate: optax.sgd(rate),
        micro_batch_size=8,
    )
    lane = jax.eval_shape(functools.partial(begin, group), *arguments_of(group))
    assert types(lane.trained.state.variables) == {"bfloat16"}
    assert types(lane.trained.pending.total) == {"float32"}


def test_parameters_of_16_bits_train_in_the_lanes(tmp_path):
    """By micro-batches, the gradients of which are of 16 bits again once added up."""

    def optimizer(hyperparams, rate):
        return in_float32(optax.adam(rate, b1=hyperparams.b))

    study = small.study(
        space=tuner.Space(
            activation="tanh",
            learning_rate=tuner.Float(3e-3, 3e-2, log=True),
            warmup_steps=0,
            b=tuner.Float(0.8, 0.99),
        ),
        task=small.task(
            init=half_init, loss=half_loss, optimizer=optimizer, micro_batch_size=16
        ),
        rounds=[tuner.Round(trials=4, max_train_steps=20)],
    )
    run = tuner.run(study, tmp_path / "run", layout="1x1x4")
    assert types(run.restore(0)) == {"bfloat16"}
    assert run.metrics("valid").schema["valid/loss"] == pl.Float32
    assert run.best["best_objective"] < 0.3  # by chance nine of ten are wrong


# Metrics


def test_metrics_of_16_bits_are_added_up_in_32():
    """In bfloat16 257 is 256: beyond that ones are no longer counted."""

    def evaluate(key, hyperparams, params, batch):
        one = jnp.ones((), jnp.bfloat16)
        return {"mean": one, "count": tuner.Sum(one)}

    examples = 300 * 1024  # three hundred batches
    task = small.task(evaluate=evaluate, valid=tuner.Arrays(np.zeros(examples)))
    metrics = task.evaluate(KEY, HYPERPARAMS, SupervisedState(None, None))
    # float32 has 24 bits: 300 times 1/300 are one to 300 roundings of the last.
    assert metrics == {
        "valid/mean": pytest.approx(1, rel=300 / 2**24),
        "valid/count": 300,
    }
    assert types(metrics) == {"float32"}


# Errors


def refused(rule, **changes):
    with pytest.raises(TypeError, match=re.escape(rule)):
        check(*group_of(init=half_init, **changes))


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "clip"])
def test_moments_that_become_wider_are_refused_with_the_remedy(name):
    with pytest.raises(TypeError, match=r"bfloat16.* after init and float32.* af"):
        check(*group_of(init=half_init, optimizer=OPTIMIZERS[name]))
    rule = "after a step: hyperparameters and rates are float32, and what they touch"
    refused(rule, optimizer=OPTIMIZERS[name])


def test_an_optimizers_own_error_is_given_the_remedy():
    """Optax's clipping chooses between a gradient of 16 bits and one of 32."""
    rule = "; hyperparameters and rates are float32, and what they touch of 16-bit pa"
    refused(rule, optimizer=OPTIMIZERS["clip"])
