"""What the engine knows of a thing that can be trained: init, step, evaluate.

A task is written about *one* trial. Everything a step carries on is its state,
everything it only reports is its metrics; the two never mix. The engine makes the keys,
draws the batches, feeds the learning rate, and calls these three functions inside one
compiled program.
"""

import abc
import copy
import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from tuner.study.data import Arrays
from tuner.study.hyperparams import Hyperparams
from tuner.study.source import Source
from tuner.study.text import check_text

State = Any
REAL = (jnp.floating, jnp.integer, jnp.bool_)  # kinds of numbers
Metrics = Mapping[str, Any]


class Task(abc.ABC):
    """Anything that can be trained step by step, for one trial.

    A task that can say what a *part* of a batch contributes to an update defines
    `contribute` and `update` too, and its `step` is one after the other. Only such a
    task can be trained in micro-batches, or its batches be split over devices.

    Attributes:
        data: a pytree of arrays that the task's functions read as `self.data`. Inside
            the program it is an argument, never a constant.
        train: examples of which every step gets a batch, or None.
        batch_size: examples in a batch; None where `train` is None, or where the space
            declares `batch_size` as a hyperparameter.
        micro_batch_size: examples of a batch that are seen at a time, an update being
            made when the batch is full; None where a batch is seen in one piece.
        traces_batch_size: whether batch sizes share a program, in micro-batches.
        examples_per_step: what a step without batches counts as, for the accounting.
    """

    data: Any = None
    train: Arrays | Source | None = None
    batch_size: int | None = None
    micro_batch_size: int | None = None
    traces_batch_size: bool = False
    examples_per_step: int = 1

    @property
    def augmentation(self) -> str | None:
        """The name of what changes training examples at random, where there is that."""
        return None

    @abc.abstractmethod
    def init(self, key: jax.Array, hyperparams: Hyperparams) -> State:
        """The state before the first step."""

    @abc.abstractmethod
    def step(
        self, key: jax.Array, hyperparams: Hyperparams, state: State, *inputs: Any
    ) -> tuple[State, Metrics]:
        """One update: `step(key, hyperparams, state, [batch,] learning_rate)`.

        The batch is there where the task has training data. The metrics are scalars;
        `loss` is one of them, and a trial is broken from the first step whose `loss`
        (or `update_norm`, where it is reported) is not finite.
        """

    @abc.abstractmethod
    def evaluate(
        self, key: jax.Array, hyperparams: Hyperparams, state: State
    ) -> Metrics:
        """Scalars that judge a state; a name without a set gets `valid/` before it.

        The key is the same for all trials and steps, so that evaluations that sample
        stay comparable.
        """

    def contribute(
        self, key: jax.Array, hyperparams: Hyperparams, state: State, batch: Any
    ) -> Any:
        """What a part of a batch adds to an update: any pytree of means over it."""
        raise NotImplementedError

    def update(
        self,
        hyperparams: Hyperparams,
        state: State,
        contribution: Any,
        learning_rate: jax.Array,
    ) -> tuple[State, Metrics]:
        """One update by the mean contribution of a batch's parts."""
        raise NotImplementedError

    @property
    def takes_parts(self) -> bool:
        """Whether it can be trained on parts of batches."""
        mine, plain = type(self), Task
        return (
            mine.contribute is not plain.contribute and mine.update is not plain.update
        )

    def kept(self, state: State) -> Any:
        """The part of a state that is kept at its best evaluation (default: all)."""
        return state


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Variables:
    """Parameters and what is carried beside them without a gradient.

    Batch statistics, a routing bias, an average of the weights: `init` returns
    `Variables(params, extra)`, `loss` returns a tally beside its metrics, and `advance`
    folds the mean tally of a step into `extra` after each update.
    """

    params: Any
    extra: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sum:
    """A total over the examples of a batch, added up over a whole evaluation set.

    For metrics that are no mean over examples (F1, AUC by counts, the number correct).
    """

    total: Any


def check_metrics(function: str, metrics: Any) -> None:
    """Refuse what is no dictionary of scalars: what `function` returned as metrics.

    Raises:
        TypeError: for metrics that are none, names that are no strings, values that are
            no real numbers.
        ValueError: for values that are no scalars.
    """
    if not isinstance(metrics, Mapping):
        raise TypeError(
            f"metrics are a dictionary of scalars, but {function} returns a "
            f'{type(metrics).__name__}: return {{"loss": ...}}'
        )
    for name, value in metrics.items():
        if not isinstance(name, str):
            raise TypeError(
                f"a metric's name is a string, but {function} returns one that is "
                f"{name!r}: name it"
            )
        check_text("a metric's name", name)
        number = value.total if isinstance(value, Sum) else value
        kind = getattr(number, "dtype", None)
        kind = np.asarray(number).dtype if kind is None else kind
        if not any(jnp.issubdtype(kind, real) for real in REAL):
            raise TypeError(
                f"a metric is a real number, but {function} returns {name} of "
                f"{type(number).__name__ if kind == np.object_ else kind}: return a "
                "float, of a complex number its jnp.abs, and anything else by its name"
            )
        shape = np.shape(number)
        if shape:
            raise ValueError(
                f"a metric is a scalar, but {function} returns {name} of shape "
                f"{list(shape)}: take its mean, or return tuner.Sum from evaluate"
            )


TaskT = TypeVar("TaskT", bound=Task)


def bind(task: TaskT, data: Any) -> TaskT:
    """The same task, reading other data: inside a program, the program's argument."""
    bound = copy.copy(task)
    object.__setattr__(bound, "data", data)
    return bound
