"""A study of a few seconds that has a bit of everything an interruption can hit.

Two programs, trials that break, trials that a rule stops, and a round whose parents go
on under two extensions at once, some of which wait for a sibling's state.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import tuner

X = np.random.default_rng(0).normal(size=(512, 16)).astype(np.float32)
Y = np.sin(X @ np.random.default_rng(1).normal(size=(16, 4))).astype(np.float32)


def init(key, hyperparams):
    first, second = jax.random.split(key)
    return {
        "in": jax.random.normal(first, (16, 24)) / 4,
        "out": jax.random.normal(second, (24, 4)) / 5,
    }


def loss(key, hyperparams, params, batch):
    x, y = batch
    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu}[hyperparams.activation]
    outputs = activation(x @ params["in"]) @ params["out"]
    return jnp.square(outputs - y).mean(), {}


def evaluate(key, hyperparams, params, batch):
    return {"loss": loss(key, hyperparams, params, batch)[0]}


def optimizer(hyperparams, learning_rate):
    return optax.sgd(learning_rate, momentum=hyperparams.momentum)


def schedule(hyperparams, max_train_steps):
    return tuner.warmup_constant_decay(
        hyperparams.learning_rate, max_train_steps, decay_fraction=0.4
    )


study = tuner.Study(
    name="enduring",
    space=tuner.Space(
        activation=tuner.Choice("tanh", "relu", role="scientific"),
        learning_rate=tuner.Float(1e-3, 1e1, log=True),
        momentum=tuner.Float(0.0, 0.9),
    ),
    task=tuner.SupervisedTask(
        init=init,
        loss=loss,
        evaluate=evaluate,
        optimizer=optimizer,
        train=tuner.Arrays(X[:384], Y[:384]),
        valid=tuner.Arrays(X[384:], Y[384:]),
        batch_size=32,
    ),
    schedule=schedule,
    objective="valid/loss",
    rounds=[
        tuner.Round(trials=24, max_train_steps=1000),
        tuner.Round(
            keep=4,
            max_train_steps=2500,
            extend=[
                tuner.LengthenConstant(decay_steps=400),
                tuner.LengthenConstant(decay_steps=1000),
            ],
        ),
    ],
    stop=tuner.Prune(patience=40),
    eval_every=10,
    seed=5,
)
