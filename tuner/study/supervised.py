"""Supervised training as a task: plain functions, an Optax optimizer, arrays.

The optimizer is built inside the trace from traced hyperparameters and a scalar rate,
so that every Optax optimizer works unmodified and one program serves all its settings.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from tuner.study.data import Arrays, narrow
from tuner.study.evaluation import evaluate_set
from tuner.study.examples import check_sets, check_steps
from tuner.study.gradients import check_loss, check_optimizer, check_params
from tuner.study.hyperparams import Hyperparams
from tuner.study.source import Source
from tuner.study.task import Metrics, Task, Variables, check_metrics

SMALL_LEAF = 2**16  # numbers; a copy of it costs less than a kernel of its own


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SupervisedState:
    """What a supervised step carries on."""

    variables: Any  # params, or Variables(params, extra)
    optimizer: Any


class SupervisedTask(Task):
    """Train parameters on batches of examples, by gradients of a loss.

    Every function is written about one trial. Where `init` returns
    `Variables(params, extra)`, `loss` and `evaluate` get the variables, `loss` returns
    `(loss, metrics, tally)`, and `advance` folds the tally into `extra`.

    Args:
        init: `(key, hyperparams) -> params`, any pytree.
        loss: `(key, hyperparams, params, batch) -> (loss, metrics)`: a scalar mean over
            the batch, and a dictionary of scalars to record.
        evaluate: `(key, hyperparams, params, batch) -> metrics`, means over the batch's
            examples, or `Sum`s.
        optimizer: `(hyperparams, learning_rate) -> optax.GradientTransformation`.
        train: the training examples, `Arrays` or a `Source`; None for a loss that
            needs none (`batch` is None then, and `examples_per_step` says what a step
            counts as).
        valid: the examples whose metrics are named `valid/...`.
        batch_size: examples in a batch, unless the space declares it: one program a
            size then. "traced": the space's sizes share a program, in micro-batches.
        micro_batch_size: examples seen at a time: gradients, metrics and tallies are
            averaged until a batch is full. A divisor of every batch size; of "traced"
            sizes their greatest common divisor, if not given.
        evaluate_on: further sets by name, `{"train": ...}`: metrics `train/...`.
        advance: `(hyperparams, extra, tally) -> extra`, after each update.
        augment: `(key, hyperparams, batch) -> batch`, on training batches only.
        shared: a pytree that `init`, `loss` and `evaluate` get as `shared=`; the same
            for all trials, in no gradient, optimizer state or snapshot.
        summarize: `(totals) -> metrics`, from the added-up `Sum`s of a whole set.
        examples_per_step: see `train`.

    Raises:
        ValueError: for arguments that contradict one another.
    """

    def __init__(
        self,
        *,
        init: Callable[..., Any],
        loss: Callable[..., tuple],
        evaluate: Callable[..., Metrics],
        optimizer: Callable[[Hyperparams, Any], Any],
        train: Arrays | Source | None,
        valid: Arrays | None = None,
        batch_size: int | str | None = None,
        micro_batch_size: int | None = None,
        evaluate_on: Mapping[str, Arrays] | None = None,
        advance: Callable[..., Any] | None = None,
        augment: Callable[..., Any] | None = None,
        shared: Any = None,
        summarize: Callable[[Mapping[str, Any]], Metrics] | None = None,
        examples_per_step: int | None = None,
    ) -> None:
        sets = ({} if valid is None else {"valid": valid}) | dict(evaluate_on or {})
        check_steps(train, batch_size, micro_batch_size, examples_per_step)
        check_sets(train, sets, valid)
        self.functions = _Functions(
            init, loss, evaluate, optimizer, advance, augment, summarize
        )
        self.train = train
        self.traces_batch_size = isinstance(batch_size, str)
        self.batch_size = None if isinstance(batch_size, str) else batch_size
        self.micro_batch_size = micro_batch_size
        self.examples_per_step = examples_per_step or 1
        self.data = {
            "sets": {name: arrays.tree for name, arrays in sets.items()},
            "shared": {} if shared is None else {"shared": narrow(shared)},
        }

    @property
    def augmentation(self) -> str | None:
        """The name of the function that augments training batches."""
        augment = self.functions.augment
        return getattr(augment, "__name__", type(augment).__name__) if augment else None

    def init(self, key: jax.Array, hyperparams: Hyperparams) -> SupervisedState:
        """Fresh variables and the optimizer's state for them."""
        variables = self.functions.init(key, hyperparams, **self.data["shared"])
        check_params(_params(variables))
        optimizer = self.functions.optimizer(hyperparams, 0.0)
        check_optimizer(optimizer)
        return SupervisedState(variables, optimizer.init(_params(variables)))

    def step(
        self,
        key: jax.Array,
        hyperparams: Hyperparams,
        state: SupervisedState,
        *inputs: Any,
    ) -> tuple[SupervisedState, Metrics]:
        """One update by the gradient on one batch; the key is consumed."""
        *batches, learning_rate = inputs
        batch = batches[0] if batches else None
        loss_of = self._loss_of(key, hyperparams, state, batch)
        contribution = _contribution(loss_of, _params(state.variables))
        return self._update(hyperparams, state, contribution, learning_rate, loss_of)

    def contribute(
        self,
        key: jax.Array,
        hyperparams: Hyperparams,
        state: SupervisedState,
        batch: Any,
    ) -> dict[str, Any]:
        """Loss, metrics, tally and gradient on a part of a batch."""
        loss_of = self._loss_of(key, hyperparams, state, batch)
        return _contribution(loss_of, _params(state.variables))

    def update(
        self,
        hyperparams: Hyperparams,
        state: SupervisedState,
        contribution: dict[str, Any],
        learning_rate: jax.Array,
    ) -> tuple[SupervisedState, Metrics]:
        """One update by the mean gradient of a batch's parts."""
        return self._update(hyperparams, state, contribution, learning_rate, None)

    def _loss_of(self, key, hyperparams, state, batch):
        """The loss on a batch as a function of the parameters alone."""
        loss_key, augment_key = jax.random.split(key)
        if self.functions.augment is not None:
            batch = self.functions.augment(augment_key, hyperparams, batch)

        def loss_of(params):
            variables = _with_params(state.variables, params)
            return self._loss(loss_key, hyperparams, variables, batch)

        return loss_of

    def _update(self, hyperparams, state, contribution, learning_rate, loss_of):
        params = _params(state.variables)
        loss, gradient = contribution["loss"], contribution["gradient"]
        update = self.functions.optimizer(hyperparams, learning_rate).update
        extras = offered(update, loss, loss_of)
        updates, optimizer_state = update(gradient, state.optimizer, params, **extras)
        variables = _with_params(state.variables, optax.apply_updates(params, updates))
        variables = self._advance(hyperparams, variables, contribution["tally"])
        ours = {
            "loss": loss,
            "grad_norm": _norm(gradient),
            "update_norm": _norm(updates),
        }
        metrics = contribution["metrics"]
        if taken := set(ours) & set(metrics):
            raise ValueError(
                f"loss returns a metric {min(taken)!r}, but that is recorded of every "
                "step anyway: give yours another name, or leave it out"
            )
        return SupervisedState(variables, optimizer_state), ours | dict(metrics)

    def evaluate(
        self, key: jax.Array, hyperparams: Hyperparams, state: SupervisedState
    ) -> Metrics:
        """The metrics of every evaluation set, exact whatever the batches."""

        def judge(key, batch):
            return self.functions.evaluate(
                key, hyperparams, state.variables, batch, **self.data["shared"]
            )

        metrics = {}
        for name, examples in self.data["sets"].items():
            of_set = evaluate_set(judge, key, examples, self.functions.summarize)
            metrics |= {f"{name}/{metric}": value for metric, value in of_set.items()}
        return metrics

    def kept(self, state: SupervisedState) -> Any:
        """The variables: an optimizer's state is of no use to who reads the best."""
        return state.variables

    def _loss(self, key, hyperparams, variables, batch):
        out = self.functions.loss(
            key, hyperparams, variables, batch, **self.data["shared"]
        )
        expected = 3 if isinstance(variables, Variables) else 2
        if not (isinstance(out, tuple) and len(out) == expected):
            form = "(loss, metrics, tally)" if expected == 3 else "(loss, metrics)"
            raise TypeError(
                f"loss must return {form} where init returns "
                f"{'Variables' if expected == 3 else 'plain params'}, but got "
                f"{_form(out)}"
            )
        loss, metrics, *tally = out
        check_loss(loss)
        check_metrics("loss", metrics)
        return loss, (metrics, tally[0] if tally else None)

    def _advance(self, hyperparams, variables, tally):
        if self.functions.advance is None:
            return variables
        if not isinstance(variables, Variables):
            raise TypeError(
                "advance= needs an init that returns tuner.Variables(params, extra), "
                "but it returns plain params: return both, or leave advance= out"
            )
        extra = self.functions.advance(hyperparams, variables.extra, tally)
        return Variables(variables.params, extra)


@dataclasses.dataclass(frozen=True)
class _Functions:
    """What the user wrote, apart from the methods that call it."""

    init: Callable[..., Any]
    loss: Callable[..., tuple]
    evaluate: Callable[..., Metrics]
    optimizer: Callable[..., Any]
    advance: Callable[..., Any] | None
    augment: Callable[..., Any] | None
    summarize: Callable[..., Metrics] | None


def _contribution(loss_of, params):
    """The loss at some parameters, all that came with it, and its gradient."""
    (loss, (metrics, tally)), gradient = jax.value_and_grad(loss_of, has_aux=True)(
        params
    )
    return {"loss": loss, "metrics": metrics, "tally": tally, "gradient": gradient}


def offered(update, loss, loss_of):
    """What some optimizers ask for beside the gradient, as far as this one takes it.

    The loss at other parameters is to be had where the whole batch is at hand.
    """
    known = {"value": loss}  # Polyak's step, MoMo
    if loss_of is not None:
        known |= {
            "obj_fn": lambda params: loss_of(params)[0],  # Sophia
            "grad_fn": lambda params, _: jax.grad(loss_of, has_aux=True)(params)[0],
        }  # SAM
    takes = inspect.signature(update).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
        return known
    return {name: value for name, value in known.items() if name in takes}


def _norm(tree):
    """The L2 norm over all leaves, in float32.

    Many small leaves are laid end to end first: on a CPU a kernel for each of them
    would cost more than its sum. A large one is summed where it is, not copied.
    """
    real = [jnp.abs(a) if jnp.iscomplexobj(a) else a for a in jax.tree.leaves(tree)]
    leaves = [jnp.ravel(leaf).astype(jnp.float32) for leaf in real]
    small = [leaf for leaf in leaves if leaf.size <= SMALL_LEAF]
    large = [leaf for leaf in leaves if leaf.size > SMALL_LEAF]
    joined = [jnp.concatenate(small)] if small else []
    return jnp.sqrt(sum(jnp.sum(leaf * leaf) for leaf in joined + large))


def _params(variables):
    return variables.params if isinstance(variables, Variables) else variables


def _with_params(variables, params):
    if isinstance(variables, Variables):
        return Variables(params, variables.extra)
    return params


def _form(out):
    if isinstance(out, tuple):
        return f"a tuple of {len(out)}"
    return f"a {type(out).__name__}"
