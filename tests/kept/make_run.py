"""Makes the run that is kept for ever, of the format of today: FOLDER.

    PYTHONPATH=tests:. python -m kept.make_run tests/kept/format_4

It was interrupted in its second round, so there are states of all kinds; a trial broke;
and a verdict lies beside it. Made once for each format: what a version has written is
what later ones must read.
"""

import itertools
import shutil
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import tuner
from tuner.rounds.cadence import Cadence

LAYOUT = "1x1x4"
INTERRUPTED_AT = 54  # steps of all trials


def init(key, hyperparams):
    return {"w": jnp.zeros(4)}


def loss(key, hyperparams, params, batch):
    x, y = batch
    return jnp.square(x @ params["w"] - y).mean(), {}


def evaluate(key, hyperparams, params, batch):
    return {"loss": loss(key, hyperparams, params, batch)[0]}


def optimizer(hyperparams, learning_rate):
    return optax.sgd(learning_rate, momentum=hyperparams.momentum)


def schedule(hyperparams, max_train_steps):
    return tuner.warmup_constant_decay(
        hyperparams.learning_rate, max_train_steps, decay_steps=4
    )


def study(loss=loss):
    """Six trials of 8 steps, the better two of which go on to 16."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(96, 4)).astype(np.float32)
    y = (x.sum(axis=1) + rng.normal(size=96)).astype(np.float32)
    return tuner.Study(
        name="kept",
        goal="Is what an earlier version has written still read?",
        space=tuner.Space(
            momentum=tuner.Choice(0.0, 0.8, role="scientific"),
            learning_rate=tuner.Float(1e-2, 1e5, log=True),
        ),
        task=tuner.SupervisedTask(
            init=init,
            loss=loss,
            evaluate=evaluate,
            optimizer=optimizer,
            train=tuner.Arrays(x[:64], y[:64]),
            valid=tuner.Arrays(x[64:], y[64:]),
            batch_size=8,
        ),
        schedule=schedule,
        objective="valid/loss",
        rounds=[
            tuner.Round(trials=6, max_train_steps=8),
            tuner.Round(keep=2, max_train_steps=16, extend=tuner.LengthenConstant()),
        ],
        eval_every=2,
        seed=5,
    )


def make(folder):
    """The run, interrupted by its budget; every second call brings a commit."""
    turns = itertools.count()
    Cadence.due = lambda *_: next(turns) % 2 == 1
    budget = tuner.Budget(steps=INTERRUPTED_AT)
    run = tuner.run(
        study(), folder, layout=LAYOUT, budget=budget, best_state="snapshot"
    )
    search = {"metric": "train/loss", "perfect": 10.0, "layout": LAYOUT}
    tuner.find_steps(study(), folder, trials=4, first_steps=8, max_steps=8, **search)
    for path in (folder / "steps").iterdir():
        if path.is_dir():
            shutil.rmtree(path)  # the runs that the verdict rests on
    (folder / "tmp").rmdir()
    (folder / "lock").unlink()  # says who made it
    return run


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 1)
    print(make(Path(sys.argv[1])).trials)  # noqa: T201 (for whoever made it)
