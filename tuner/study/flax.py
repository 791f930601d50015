"""Flax modules as supervised tasks, made from a module and a loss.

Parameters are trained; all else that a module carries (batch statistics) goes on beside
them without a gradient. Training calls the module in training mode with keys for its
dropout, evaluation calls it in evaluation mode.

    def model(hyperparams, rngs):
        return MLP(hyperparams.width, rngs=rngs)

    def loss(hyperparams, model, batch):
        x, y = batch
        losses = optax.softmax_cross_entropy_with_integer_labels(model(x), y)
        return losses.mean(), {}

    task = tuner.flax.nnx_task(model, loss, optimizer=..., train=..., valid=...)
"""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen, nnx

from tuner.study.hyperparams import Hyperparams
from tuner.study.supervised import SupervisedTask
from tuner.study.task import Variables

Loss = Callable[[Hyperparams, Any, Any], tuple[Any, dict[str, Any]]]


def nnx_task(
    model: Callable[[Hyperparams, nnx.Rngs], nnx.Module], loss: Loss, **fields: Any
) -> SupervisedTask:
    """A supervised task from a Flax NNX module.

    The module is built anew in every trace and filled with what is carried, so traced
    hyperparameters may set its attributes (a dropout rate by `tuner.flax.Dropout`).

    Args:
        model: `(hyperparams, rngs) -> nnx.Module`.
        loss: `(hyperparams, model, batch) -> (loss, metrics)`, means over the batch,
            for training and evaluation alike; `model` is called as the module is.
        **fields: the rest of `SupervisedTask`: optimizer, train, valid, batch_size, ...
    """

    def init(key, hyperparams):
        _, params, _, rest = _split(model(hyperparams, nnx.Rngs(key)))
        return Variables(nnx.to_pure_dict(params), nnx.to_pure_dict(rest))

    def filled(key, hyperparams, variables):
        module = model(hyperparams, nnx.Rngs(key))
        _, params, _, rest = _split(module)
        nnx.replace_by_pure_dict(params, variables.params)
        nnx.replace_by_pure_dict(rest, variables.extra)
        nnx.update(module, params, rest)
        return module

    def training_loss(key, hyperparams, variables, batch):
        module = filled(key, hyperparams, variables)
        module.train()
        mean, metrics = loss(hyperparams, module, batch)
        return mean, metrics, nnx.to_pure_dict(_split(module)[3])

    def evaluate(key, hyperparams, variables, batch):
        module = filled(key, hyperparams, variables)
        module.eval()
        mean, metrics = loss(hyperparams, module, batch)
        return {"loss": mean, **metrics}

    return SupervisedTask(
        init=init, loss=training_loss, evaluate=evaluate, advance=_replace, **fields
    )


def linen_task(
    model: Callable[[Hyperparams], linen.Module],
    loss: Loss,
    *,
    example: Any,
    **fields: Any,
) -> SupervisedTask:
    """A supervised task from a Flax Linen module.

    Args:
        model: `(hyperparams) -> linen.Module`. Where its `__call__` takes `train`, it
            is told whether it trains.
        loss: `(hyperparams, model, batch) -> (loss, metrics)`, means over the batch,
            for training and evaluation alike; `model(x)` applies the module.
        example: inputs of a call, for the shapes of the parameters: an array, or a
            tuple of arguments.
        **fields: the rest of `SupervisedTask`: optimizer, train, valid, batch_size, ...
    """
    inputs = example if isinstance(example, tuple) else (example,)

    def init(key, hyperparams):
        module = model(hyperparams)
        params_key, dropout_key = jax.random.split(key)
        made = module.init(
            {"params": params_key, "dropout": dropout_key},
            *inputs,
            **_mode(module, train=False),
        )
        extra = {name: of_kind for name, of_kind in made.items() if name != "params"}
        return Variables(made["params"], extra)

    def training_loss(key, hyperparams, variables, batch):
        options = {"rngs": {"dropout": key}, "mutable": list(variables.extra)}
        apply, carried = _applied(model(hyperparams), variables, True, **options)
        mean, metrics = loss(hyperparams, apply, batch)
        return mean, metrics, carried

    def evaluate(key, hyperparams, variables, batch):
        apply, _ = _applied(model(hyperparams), variables, False, mutable=[])
        mean, metrics = loss(hyperparams, apply, batch)
        return {"loss": mean, **metrics}

    return SupervisedTask(
        init=init, loss=training_loss, evaluate=evaluate, advance=_replace, **fields
    )


def _applied(module, variables, train, **options):
    """The module as a function, and what it carries, which a call may change."""
    carried = dict(variables.extra)

    def apply(*args, **kwargs):
        out, changed = module.apply(
            {"params": variables.params, **carried},
            *args,
            **_mode(module, train=train),
            **kwargs,
            **options,
        )
        carried.update(changed)
        return out

    return apply, carried


def dropout(key: jax.Array, rate: Any, x: jax.Array) -> jax.Array:
    """Zeros a share of `x` and scales up the rest; `rate`, below 1, may be traced.

    Flax's own layers compare the rate with 0 in Python, which a traced rate cannot be.
    In Linen: `tuner.flax.dropout(self.make_rng("dropout"), rate, x) if train else x`.
    """
    kept = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(kept, x / (1 - rate), 0).astype(x.dtype)


class Dropout(nnx.Module):
    """Dropout for NNX whose rate may be a traced hyperparameter.

    Args:
        rate: the share that is dropped, below 1.
        rngs: where its stream of keys comes from.
    """

    def __init__(self, rate: Any, *, rngs: nnx.Rngs) -> None:
        self.rate = rate
        self.deterministic = False
        self.rngs = rngs.dropout.fork()

    def __call__(self, x: jax.Array) -> jax.Array:
        """`x` with a share dropped, or as it is in evaluation mode."""
        return x if self.deterministic else dropout(self.rngs(), self.rate, x)


def _split(module: nnx.Module) -> tuple[Any, ...]:
    """Its structure, parameters, streams of keys, and all else that it carries."""
    return nnx.split(module, nnx.Param, nnx.RngState, ...)


def _replace(hyperparams, extra, tally):
    """A module's statistics are updated by the module; the tally is the new state."""
    return tally


def _mode(module: linen.Module, *, train: bool) -> dict[str, Any]:
    """How a module is told that it trains, where it asks."""
    takes = inspect.signature(type(module).__call__).parameters
    return {"train": train} if "train" in takes else {}
