"""Whatever can be trained goes through two rounds, exactly on in the second."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small
from flax import linen, nnx

import tuner
from tuner.lanes.state import as_keys, as_words
from tuner.lanes.trial import initial_state
from tuner.rounds.groups import make_group
from tuner.rounds.trials import planned
from tuner.study.hyperparams import Hyperparams
from tuner.study.supervised import SupervisedState
from tuner.study.task import Task

pytestmark = pytest.mark.slow

HIDDEN = 16
SPACE = {
    "activation": "tanh",
    "learning_rate": tuner.Float(1e-2, 1e-1, log=True),
    "weight_decay": 1e-4,
    "warmup_steps": 2,
}
DROPOUT = {"dropout": tuner.Float(0.0, 0.5, hard="low")}
FIELDS = {
    "optimizer": small.optimizer,
    "train": small.TRAIN,
    "valid": small.VALID,
    "batch_size": 32,
}


def losses(logits, labels):
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    return loss, {"error": (logits.argmax(-1) != labels).mean()}


def of_module(hyperparams, model, batch):
    pixels, labels = batch
    return losses(model(pixels), labels)


# Flax modules with batch norm and dropout


class NNX(nnx.Module):
    def __init__(self, hyperparams, rngs):
        self.first = nnx.Linear(64, HIDDEN, rngs=rngs)
        self.norm = nnx.BatchNorm(HIDDEN, rngs=rngs)
        self.dropout = tuner.flax.Dropout(hyperparams.dropout, rngs=rngs)
        self.last = nnx.Linear(HIDDEN, 10, rngs=rngs)

    def __call__(self, x):
        return self.last(self.dropout(nnx.relu(self.norm(self.first(x)))))


class Linen(linen.Module):
    rate: float

    @linen.compact
    def __call__(self, x, train):
        x = linen.BatchNorm(use_running_average=not train)(linen.Dense(HIDDEN)(x))
        x = linen.relu(x)
        x = tuner.flax.dropout(self.make_rng("dropout"), self.rate, x) if train else x
        return linen.Dense(10)(x)


def nnx_study():
    return small.study(
        space=tuner.Space(**SPACE, **DROPOUT),
        task=tuner.flax.nnx_task(NNX, of_module, **FIELDS),
    )


def linen_study():
    def model(hyperparams):
        return Linen(hyperparams.dropout)

    example = small.PIXELS[:1]
    return small.study(
        space=tuner.Space(**SPACE, **DROPOUT),
        task=tuner.flax.linen_task(model, of_module, example=example, **FIELDS),
    )


# Linear on centred inputs: their average is carried beside the parameters


def centred_study():
    def init(key, hyperparams):
        return tuner.Variables({"w": jnp.zeros((64, 10))}, jnp.zeros(64))

    def loss(key, hyperparams, variables, batch):
        pixels, labels = batch
        logits = (pixels - variables.extra) @ variables.params["w"]
        return *losses(logits, labels), pixels.mean(0)

    def evaluate(key, hyperparams, variables, batch):
        mean, metrics, _ = loss(key, hyperparams, variables, batch)
        return {"loss": mean, **metrics}

    def advance(hyperparams, extra, tally):
        return extra + 0.1 * (tally - extra)

    task = small.task(init=init, loss=loss, evaluate=evaluate, advance=advance)
    return small.study(space=tuner.Space(**SPACE), task=task)


# A head on frozen features

FROZEN = np.random.default_rng(0).normal(size=(64, 48))


def frozen_study():
    def init(key, hyperparams, shared):
        return {"head": jnp.zeros((shared.shape[1], 10))}

    def loss(key, hyperparams, params, batch, shared):
        pixels, labels = batch
        return losses(jnp.tanh(pixels @ shared) @ params["head"], labels)

    def evaluate(key, hyperparams, params, batch, shared):
        mean, metrics = loss(key, hyperparams, params, batch, shared)
        return {"loss": mean, **metrics}

    task = small.task(init=init, loss=loss, evaluate=evaluate, shared=FROZEN)
    return small.study(space=tuner.Space(**SPACE), task=task)


# An Equinox module, whose arrays are trained and whose rest is built again


def equinox_study():
    def model(key):
        return eqx.nn.MLP(64, 10, HIDDEN, 1, key=key)

    def init(key, hyperparams):
        return eqx.filter(model(key), eqx.is_inexact_array)

    def loss(key, hyperparams, params, batch):
        pixels, labels = batch
        rest = eqx.filter(model(key), eqx.is_inexact_array, inverse=True)
        return losses(jax.vmap(eqx.combine(params, rest))(pixels), labels)

    def evaluate(key, hyperparams, params, batch):
        mean, metrics = loss(key, hyperparams, params, batch)
        return {"loss": mean, **metrics}

    task = small.task(init=init, loss=loss, evaluate=evaluate)
    return small.study(space=tuner.Space(**SPACE), task=task)


# An evolution strategy, which carries its keys itself

PAIRS, PUSHES = 8, 20
STARTS = np.float32([[1, 0], [-1, 0], [0, 1], [0.5, -1]])  # position, velocity


class Evolution(Task):
    """Steers a point mass to rest at 0 by a linear policy, without gradients.

    References:
        Tim Salimans et al., Evolution Strategies as a Scalable Alternative to
        Reinforcement Learning, 2017, https://arxiv.org/abs/1703.03864 (in antithetic
        pairs)
    """

    def init(self, key, hyperparams):
        return {"policy": jnp.zeros(2), "key": key}

    def step(self, key, hyperparams, state, learning_rate):
        carried, noise_key = jax.random.split(state["key"])
        noise = jax.random.normal(noise_key, (PAIRS, 2))
        shift = hyperparams.deviation * noise
        ahead = jax.vmap(episodes)(state["policy"] + shift)
        behind = jax.vmap(episodes)(state["policy"] - shift)
        uphill = (ahead - behind) @ noise / (2 * PAIRS * hyperparams.deviation)
        policy = state["policy"] + learning_rate * uphill
        loss = -(ahead + behind).mean() / 2
        return {"policy": policy, "key": carried}, {"loss": loss}

    def evaluate(self, key, hyperparams, state):
        mean = episodes(state["policy"])
        return {"valid/loss": -mean, "valid/return": mean}


def episodes(policy):
    """The mean return of one episode from each start: minus what it costs, a push."""

    def push(mass, _):
        position, velocity = mass
        force = policy @ mass
        velocity = velocity + 0.2 * force
        position = position + 0.2 * velocity
        return jnp.stack([position, velocity]), position**2 + 0.1 * force**2

    def episode(start):
        _, costs = jax.lax.scan(push, start, length=PUSHES)
        return -costs.mean()

    return jax.vmap(episode)(STARTS).mean()


def evolution_study():
    return small.study(
        space=tuner.Space(
            learning_rate=tuner.Float(0.1, 1.0, log=True),
            deviation=tuner.Float(0.05, 0.2),
            warmup_steps=2,
        ),
        task=Evolution(),
        objective=tuner.Maximize("valid/return"),
    )


# What holds for all

STUDIES = {
    "nnx": nnx_study,
    "linen": linen_study,
    "variables": centred_study,
    "shared": frozen_study,
    "equinox": equinox_study,
    "evolution": evolution_study,
}
ROUNDS = [
    tuner.Round(trials=4, max_train_steps=20),
    tuner.Round(keep=2, max_train_steps=40, extend=tuner.LengthenConstant()),
]


@dataclasses.dataclass(frozen=True)
class Trained:
    """A run, and its task's functions by the searched values of a trial, compiled."""

    run: tuner.Run
    begin: Callable[..., Any]  # (key, values) -> state
    objective: Callable[..., Any]  # (values, state) -> number


@pytest.fixture(scope="module")
def trained_by_name(tmp_path_factory):
    """Trains a study when it is first asked for."""
    directory = tmp_path_factory.mktemp("runs")

    @functools.cache
    def train(name):
        study = dataclasses.replace(STUDIES[name](), rounds=ROUNDS)
        task, fixed = study.task, study.space.fixed
        evaluation_key = jax.random.key(0)

        def begin(key, values):
            return task.init(key, Hyperparams({**fixed, **values}))

        def objective(values, state):
            hyperparams = Hyperparams({**fixed, **values})
            metrics = task.evaluate(evaluation_key, hyperparams, state)
            return metrics[study.target.metric]

        run = tuner.run(study, directory / name, layout="1x1x2")
        return Trained(run, jax.jit(begin), jax.jit(objective))

    return train


@pytest.fixture(params=STUDIES)
def trained(request, trained_by_name):
    return trained_by_name(request.param)


def values_of(trained, row):
    return {name: row[f"hp.{name}"] for name in trained.run.study.space.domains}


def test_every_trial_is_complete(trained):
    assert trained.run.trials["status"].to_list() == ["complete"] * 6


def test_promoted_trials_go_on_exactly_where_their_parents_decay_begins(trained):
    children = trained.run.trials.filter(round=2)
    assert children["resume"].to_list() == ["exact"] * 2
    assert children["start_step"].to_list() == [10] * 2


def test_training_improves_on_the_untrained(trained):
    sign = trained.run.study.target.sign
    for row in trained.run.trials.to_dicts():
        values = values_of(trained, row)
        untrained = trained.begin(jax.random.key(row["sample"]), values)
        before = trained.objective(values, untrained)
        assert sign * row["best_objective"] < sign * before


def test_a_restored_state_has_the_recorded_objective(trained):
    task = trained.run.study.task
    for row in trained.run.trials.to_dicts():
        values = values_of(trained, row)
        kept = task.kept(trained.begin(jax.random.key(0), values))
        words = trained.run.restore(row["trial"], "best", like=as_words(kept))
        state = as_keys(kept, words)
        if isinstance(task, tuner.SupervisedTask):
            state = SupervisedState(state, None)
        # Another program sums in another order.
        objective = pytest.approx(row["best_objective"], abs=1e-6)
        assert float(trained.objective(values, state)) == objective


# What holds for one


def test_frozen_weights_are_in_no_snapshot(trained_by_name):
    run = trained_by_name("shared").run
    for trial in run.trials["trial"]:
        leaves = jax.tree.leaves(run.restore(trial, "last"))
        assert FROZEN.shape not in {leaf.shape for leaf in leaves}


def test_a_carried_key_goes_through_the_snapshots(trained_by_name):
    """A child's last key is the first, split once a step: ten times by its parent."""
    run = trained_by_name("evolution").run
    parents = list(planned(run.study, 1))
    for row in run.trials.filter(round=2).to_dicts():
        key = first_key(run.study, parents[row["parent"]])
        for _ in range(row["max_train_steps"]):
            key, _ = jax.random.split(key)
        last = run.restore(row["trial"], "last")["key"]
        assert last.tolist() == jax.random.key_data(key).tolist()


def first_key(study, trial):
    group = make_group(study, trial)
    return initial_state(group, group.data, jnp.uint32(trial.numbers), {})["key"]
