"""Optimizers of traced numbers, in two lanes, step as those of plain numbers do."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib

import tuner
from tuner.study.hyperparams import Hyperparams

KEY = jax.random.key(0)
RATES = (0.1, 0.01)
INPUTS = np.random.default_rng(1).normal(size=(8, 3)).astype(np.float32)
OUTPUTS = np.random.default_rng(2).normal(size=(8, 2)).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Case:
    """An optimizer, the hyperparameters of two lanes, and what its update asks for."""

    make: Callable[[Hyperparams, Any], Any]
    lanes: Mapping[str, tuple[float, float]]
    asks: tuple[str, ...] = ()


B1 = {"b1": (0.9, 0.5)}
DECAY = {"decay": (0.1, 0.01)}
MOMENTUM = {"momentum": (0.9, 0.5)}

OPTIMIZERS = {
    "adam": Case(
        lambda h, rate: optax.adam(rate, b1=h.b1, b2=h.b2, eps=h.eps),
        {**B1, "b2": (0.999, 0.9), "eps": (1e-8, 1e-3)},
    ),
    "adamw": Case(
        lambda h, rate: optax.adamw(rate, b1=h.b1, weight_decay=h.decay),
        {**B1, **DECAY},
    ),
    "momentum": Case(lambda h, rate: optax.sgd(rate, momentum=h.momentum), MOMENTUM),
    "nesterov": Case(
        lambda h, rate: optax.sgd(rate, momentum=h.momentum, nesterov=True), MOMENTUM
    ),
    "nadam": Case(lambda h, rate: optax.nadam(rate, b1=h.b1), B1),
    "rmsprop": Case(
        lambda h, rate: optax.rmsprop(rate, decay=1 - h.decay, momentum=h.momentum),
        {**MOMENTUM, **DECAY},
    ),
    "lion": Case(
        lambda h, rate: optax.lion(rate, b1=h.b1, weight_decay=h.decay),
        {**B1, **DECAY},
    ),
    "adafactor": Case(
        lambda h, rate: optax.adafactor(rate, decay_rate=1 - h.decay),
        DECAY,
    ),
    "muon": Case(
        lambda h, rate: contrib.muon(rate, beta=h.momentum, adam_b1=h.b1),
        {**MOMENTUM, **B1},
    ),
    "schedule_free": Case(
        lambda h, rate: contrib.schedule_free_adamw(rate, b1=h.b1), B1
    ),
    "prodigy": Case(
        lambda h, rate: contrib.prodigy(
            rate, weight_decay=h.decay, estim_lr0=h.estimate
        ),
        {**DECAY, "estimate": (0.5, 0.1)},  # its own, 1e-6, moves nothing
    ),
    "polyak": Case(
        lambda h, rate: optax.polyak_sgd(max_learning_rate=h.most, scaling=rate),
        {"most": (0.5, 0.02)},
        asks=("value",),
    ),
    "momo": Case(
        lambda h, rate: contrib.momo(rate, beta=h.momentum), MOMENTUM, asks=("value",)
    ),
    "sophia": Case(
        lambda h, rate: contrib.sophia(rate, b1=h.b1, eps=h.eps),
        {**B1, "eps": (0.2, 0.1)},  # its own, 1e-8, clips every step
        asks=("obj_fn",),
    ),
    "sam": Case(
        lambda h, rate: contrib.sam(
            optax.sgd(rate), optax.sgd(h.radius), opaque_mode=True
        ),
        {"radius": (0.5, 0.1)},
        asks=("grad_fn",),
    ),
}


def init(key, hyperparams):
    return {"w": jax.random.normal(key, (3, 2)), "b": jnp.ones(2)}


def squares(params):
    return jnp.square(jnp.tanh(INPUTS @ params["w"] + params["b"]) - OUTPUTS).mean()


@pytest.mark.parametrize("case", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_traced_hyperparameters_make_the_steps_of_plain_numbers(case):
    values = {name: jnp.float32(pair) for name, pair in case.lanes.items()}
    lanes = jax.jit(jax.vmap(lambda *lane: two_steps(case, *lane)))
    trained = lanes(values, jnp.float32(RATES))
    for lane, rate in enumerate(RATES):
        plain = Hyperparams({name: pair[lane] for name, pair in case.lanes.items()})
        expected = two_steps_of_optax(case.make(plain, rate), case.asks)
        for name, leaf in expected.items():
            # 1 - 0.999 keeps four digits as a traced float32, all as a plain number.
            np.testing.assert_allclose(trained[name][lane], leaf, rtol=1e-4)


def two_steps(case, values, rate):
    """In a scan, which refuses a state that changes its types."""
    examples = tuner.Arrays(INPUTS, OUTPUTS)
    task = tuner.SupervisedTask(
        init=init,
        loss=lambda key, hyperparams, params, batch: (squares(params), {}),
        evaluate=lambda key, hyperparams, params, batch: {"loss": squares(params)},
        optimizer=case.make,
        train=examples,
        valid=examples,
    )
    hyperparams = Hyperparams(values)

    def step(state, _):
        return task.step(KEY, hyperparams, state, examples.tree, rate)[0], None

    state = task.init(KEY, hyperparams)
    return jax.lax.scan(step, state, length=2)[0].variables


def two_steps_of_optax(optimizer, asks):
    params = init(KEY, None)
    state = optimizer.init(params)
    for _ in range(2):
        value, gradient = jax.value_and_grad(squares)(params)
        offered = {
            "value": value,
            "obj_fn": squares,
            "grad_fn": lambda params, _: jax.grad(squares)(params),
        }
        extras = {name: offered[name] for name in asks}
        updates, state = optimizer.update(gradient, state, params, **extras)
        params = optax.apply_updates(params, updates)
    return params
