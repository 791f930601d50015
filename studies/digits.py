"""Digits: which activation does a small MLP want, once its learning rate is tuned?

Question: of relu, gelu and tanh, which gives a 64-64-64-10 network the lowest
    validation error on the 8x8 digits, each with its own best learning rate, weight
    decay and warm-up?
Command: tuner run studies/digits.py
Time: 12 s on two cores, most of it the compilation of three programs; 7 s a second
    time, when they are kept.
Result: relu and gelu reach no error on the 297 validation digits, tanh one (0.0034).
    None of the nine promoted trials ends worse than its parent. The digits can be
    fitted, so this shows the mechanics; it does not say which activation is better.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

import tuner
from tuner import Choice, Float, Int

HIDDEN = 64
ACTIVATIONS = {"relu": jax.nn.relu, "gelu": jax.nn.gelu, "tanh": jnp.tanh}


def examples():
    """Shuffled with a seed of its own: the digits come sorted by writer."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    return (pixels[order] / 16).astype(np.float32), labels[order].astype(np.int32)


def init(key, hyperparams):
    keys = jax.random.split(key, 3)
    sizes = [(64, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 10)]
    return [
        {
            "w": jax.random.normal(key, size) * jnp.sqrt(1 / size[0]),
            "b": jnp.zeros(size[1]),
        }
        for key, size in zip(keys, sizes, strict=True)
    ]


def logits(hyperparams, params, pixels):
    activation = ACTIVATIONS[hyperparams.activation]
    *hidden, last = params
    for layer in hidden:
        pixels = activation(pixels @ layer["w"] + layer["b"])
    return pixels @ last["w"] + last["b"]


def loss(key, hyperparams, params, batch):
    pixels, labels = batch
    out = logits(hyperparams, params, pixels)
    losses = optax.softmax_cross_entropy_with_integer_labels(out, labels)
    return losses.mean(), {"error": (out.argmax(-1) != labels).mean()}


def evaluate(key, hyperparams, params, batch):
    mean, metrics = loss(key, hyperparams, params, batch)
    return {"loss": mean, **metrics}


def optimizer(hyperparams, learning_rate):
    return optax.adamw(
        learning_rate, b2=hyperparams.b2, weight_decay=hyperparams.weight_decay
    )


def schedule(hyperparams, max_train_steps):
    return tuner.warmup_constant_decay(
        hyperparams.learning_rate,
        max_train_steps,
        warmup_steps=hyperparams.warmup_steps,
        decay_fraction=0.3,
        decay="linear",
    )


x, y = examples()

study = tuner.Study(
    name="digits",
    goal="Rank three activations for a small MLP on 8x8 digits.",
    space=tuner.Space(
        activation=Choice("relu", "gelu", "tanh", role="scientific"),
        learning_rate=Float(1e-4, 1e-1, log=True),
        weight_decay=Float(1e-6, 1e-1, log=True, off=0.0, kind="regularization"),
        warmup_steps=Int(0, 100, kind="warm-up"),
        b2=0.999,
    ),
    task=tuner.SupervisedTask(
        init=init,
        loss=loss,
        evaluate=evaluate,
        optimizer=optimizer,
        train=tuner.Arrays(x[:1500], y[:1500]),
        valid=tuner.Arrays(x[1500:], y[1500:]),
        batch_size=64,
    ),
    schedule=schedule,
    objective="valid/error",
    rounds=[
        tuner.Round(trials=63, max_train_steps=500),
        tuner.Round(keep=9, max_train_steps=2000, extend=tuner.LengthenConstant()),
    ],
    eval_every=25,
    seed=0,
)


def smoke():
    """The study in a few seconds: one trial of each activation, a promoted one each."""
    return dataclasses.replace(
        study,
        rounds=[
            tuner.Round(trials=3, max_train_steps=150),
            tuner.Round(keep=3, max_train_steps=300, extend=tuner.LengthenConstant()),
        ],
    )
