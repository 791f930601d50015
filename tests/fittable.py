"""A study whose training set, a hundred digits, is fitted in a few dozen steps."""

import numpy as np
import small

import tuner

LAYOUT = "2x1x4"
SHORT = {"trials": 4, "first_steps": 25, "max_steps": 100, "rates": 7}
X, Y = small.PIXELS[:100], small.LABELS[:100]


def space(**changes):
    entries = {
        "activation": "relu",
        "learning_rate": tuner.Float(1e-3, 1.0, log=True),
        "weight_decay": tuner.Float(
            1e-6, 1e-1, log=True, off=0.0, kind="regularization"
        ),
        "warmup_steps": tuner.Int(0, 5, kind="warm-up"),
    }
    return small.space(**(entries | changes))


def task(**changes):
    return small.task(train=tuner.Arrays(X, Y), **changes)


def study(**changes):
    fields = {
        "name": "fittable",
        "space": space(),
        "task": task(),
        "rounds": [
            tuner.Round(trials=8, max_train_steps=25),
            tuner.Round(keep=2, max_train_steps=200, extend=tuner.LengthenConstant()),
        ],
    }
    return small.study(**(fields | changes))


def contradicting():
    """Every example is there twice, with two labels: half of them must be wrong."""
    twice = tuner.Arrays(np.concatenate([X, X]), np.concatenate([Y, (Y + 1) % 10]))
    return study(name="contradicting", task=small.task(train=twice))
