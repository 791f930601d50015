"""Small studies for the tests: a network of one hidden layer on the digits.

Where its layout does not matter, a test runs `study()` at 2x1x2 and `diverging_study()`
at 2x1x4: their programs are then compiled once in a session of tests.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

import tuner

PIXELS, LABELS = load_digits(return_X_y=True)
ORDER = np.random.default_rng(0).permutation(len(LABELS))
PIXELS = (PIXELS[ORDER] / 16).astype(np.float32)
LABELS = LABELS[ORDER].astype(np.int32)
TRAIN = tuner.Arrays(PIXELS[:600], LABELS[:600])
VALID = tuner.Arrays(PIXELS[600:800], LABELS[600:800])


def init(key, hyperparams):
    first, second = jax.random.split(key)
    return {
        "w1": 0.1 * jax.random.normal(first, (64, 16)),
        "b1": jnp.zeros(16),
        "w2": 0.1 * jax.random.normal(second, (16, 10)),
    }


def loss(key, hyperparams, params, batch):
    pixels, labels = batch
    activation = {"relu": jax.nn.relu, "tanh": jnp.tanh}[hyperparams.activation]
    logits = activation(pixels @ params["w1"] + params["b1"]) @ params["w2"]
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses.mean(), {"error": (logits.argmax(-1) != labels).mean()}


def evaluate(key, hyperparams, params, batch):
    mean, metrics = loss(key, hyperparams, params, batch)
    return {"loss": mean, **metrics}


def optimizer(hyperparams, learning_rate):
    return optax.adamw(learning_rate, weight_decay=hyperparams.weight_decay)


def schedule(hyperparams, max_train_steps):
    return tuner.warmup_constant_decay(
        hyperparams.learning_rate,
        max_train_steps,
        warmup_steps=hyperparams.warmup_steps,
        decay_fraction=0.5,
    )


def space(**changes):
    entries = {
        "activation": tuner.Choice("relu", "tanh", role="scientific"),
        "learning_rate": tuner.Float(1e-3, 1e-1, log=True),
        "weight_decay": tuner.Float(1e-6, 1e-1, log=True),
        "warmup_steps": tuner.Int(0, 5),
    }
    return tuner.Space(**(entries | changes))


def task(**changes):
    fields = {
        "init": init,
        "loss": loss,
        "evaluate": evaluate,
        "optimizer": optimizer,
        "train": TRAIN,
        "valid": VALID,
        "batch_size": 32,
    }
    return tuner.SupervisedTask(**(fields | changes))


def study(**changes):
    fields = {
        "name": "small",
        "space": space(),
        "task": task(),
        "schedule": schedule,
        "objective": "valid/error",
        "rounds": [
            tuner.Round(trials=12, max_train_steps=20),
            tuner.Round(keep=4, max_train_steps=60, extend=tuner.LengthenConstant()),
        ],
        "eval_every": 5,
        "seed": 3,
    }
    return tuner.Study(**(fields | changes))


def squares(key, hyperparams, params, batch):
    """A loss without bound: too high a rate leaves the finite numbers."""
    pixels, labels = batch
    outputs = jnp.tanh(pixels @ params["w1"] + params["b1"]) @ params["w2"]
    errors = (outputs.argmax(-1) != labels).mean()
    return jnp.square(outputs - jax.nn.one_hot(labels, 10)).mean(), {"error": errors}


def diverging_study(**changes):
    """A third of the rates are far too high for plain gradient descent."""
    fields = {
        "space": space(
            activation="tanh", learning_rate=tuner.Float(1e-3, 1e4, log=True)
        ),
        "task": task(
            loss=squares,
            optimizer=lambda hyperparams, learning_rate: optax.sgd(learning_rate),
        ),
        "rounds": [tuner.Round(trials=18, max_train_steps=20)],
    }
    return study(**(fields | changes))
