"""A perfect fit of the training set: by which metric it is judged, and when it is one.

The metric is one of an evaluation, not of a training step: no dropout, no augmentation,
and the whole set at one state of the parameters (playbook D6). Perfect is an error of
exactly 0. An accuracy must be 1 up to the rounding of a mean in float32.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import jax

from tuner.study.data import Arrays
from tuner.study.hyperparams import Hyperparams
from tuner.study.names import unknown
from tuner.study.stopping import Evaluations, Target
from tuner.study.study import Maximize, Minimize
from tuner.study.supervised import SupervisedTask
from tuner.study.task import Task, bind
from tuner.study.values import number

SET = "train/"
ERRORS = ("error", "error_rate", "misclassification", "misclassification_rate")
ACCURACIES = ("accuracy", "acc", "accuracy_rate")
ROUNDING = 1e-6  # of a mean over batches whose shares of the examples are rounded


@dataclasses.dataclass(frozen=True, kw_only=True)
class Perfect:
    """When the training set is fitted; as a rule, what stops a trial that fits it.

    Attributes:
        metric: of the training set in evaluation mode, by its full name.
        value: that is perfect.
        maximize: whether the metric is to be large.

    Examples:
        >>> error = Perfect(metric="train/error", value=0.0, maximize=False)
        >>> error.is_met(0.0), error.is_met(0.001)
        (True, False)
    """

    metric: str
    value: float
    maximize: bool

    @property
    def objective(self) -> Minimize | Maximize:
        """The metric as a study's objective."""
        return Maximize(self.metric) if self.maximize else Minimize(self.metric)

    @property
    def target(self) -> Target:
        """The value that counts as perfect, as what ends a study."""
        return Target(self.value - ROUNDING if self.maximize else self.value)

    def is_met(self, value: float | None) -> bool:
        """Whether a value of the metric is a perfect fit."""
        return self.target.is_reached(value, maximize=self.maximize)

    def __call__(self, evaluations: Evaluations) -> bool:
        """Whether to stop a trial: there is nothing left for it to find out."""
        return self.is_met(evaluations.best[-1].item())

    def describe(self) -> dict[str, Any]:
        """The rule as JSON data."""
        return {"type": "Perfect", **dataclasses.asdict(self)}


def on_training_set(task: Task) -> Task:
    """The task judged on its training set alone, without augmentation.

    A set that it evaluates on as `train` already stays the one. A task that is no
    `SupervisedTask` is left as it is: its own `evaluate` has to report `train/...`.

    Raises:
        ValueError: where the training examples cannot be evaluated on.
    """
    if not isinstance(task, SupervisedTask):
        return task
    sets = dict(task.data["sets"])
    if "train" not in sets:
        if not isinstance(task.train, Arrays):
            kind = "a Source" if task.train is not None else "None"
            raise ValueError(
                "training error is that of a set in memory, but the task has "
                f'train={kind} and no set "train" in evaluate_on: pass evaluate_on='
                '{"train": source.load()}, or a part, '
                "tuner.Source(dataset[:1000]).load()"
            )
        sets["train"] = task.train.tree
    judged = bind(task, {**task.data, "sets": {"train": sets["train"]}})
    judged.functions = dataclasses.replace(task.functions, augment=None)
    return judged


def perfect_fit(
    task: Task,
    configuration: Mapping[str, Any],
    objective: Minimize | Maximize,
    *,
    metric: str | Maximize | None = None,
    value: int | float | None = None,
) -> Perfect:
    """How a perfect fit is told.

    Args:
        task: judged on its training set.
        configuration: any of its hyperparameters', to trace an evaluation with.
        objective: the study's, whose own metric is looked for first.
        metric: the metric; an error or accuracy of the set `train` if None.
        value: that is perfect; 0 of what is to be small, 1 of what is to be large, if
            None.

    Raises:
        ValueError: where there is no such metric, or its direction is not known.
    """
    reported = _reported(task, configuration)
    chosen = _directed(metric, reported, objective, value)
    chosen = chosen or _found(reported, objective)
    maximize = isinstance(chosen, Maximize)
    perfect = number("perfect", value) if value is not None else float(maximize)
    return Perfect(metric=chosen.metric, value=perfect, maximize=maximize)


def _reported(task: Task, configuration: Mapping[str, Any]) -> list[str]:
    """The training set's metrics that an evaluation returns, by full name."""

    def evaluate(key: jax.Array) -> Any:
        hyperparams = Hyperparams(configuration)
        return task.evaluate(key, hyperparams, task.init(key, hyperparams))

    names = jax.eval_shape(evaluate, jax.random.key(0))
    return [name for name in names if name.startswith(SET)]


def _directed(
    metric: str | Maximize | None,
    reported: Iterable[str],
    objective: Minimize | Maximize,
    value: int | float | None,
) -> Minimize | Maximize | None:
    """The metric that was asked for, with its direction.

    As everywhere, a name alone is of what is to be small; but then its perfect value
    must be known, for the worst value of an accuracy would be taken for it.
    """
    if metric is None:
        return None
    name = metric if isinstance(metric, str) else metric.metric
    if name not in reported:
        raise ValueError(unknown("metric of the training set", name, reported))
    if not isinstance(metric, str):
        return metric
    short = name.removeprefix(SET)
    if short in ACCURACIES:
        return Maximize(name)
    if short in ERRORS or value is not None:
        return Minimize(name)
    if short == _short(objective):
        return type(objective)(name)
    raise ValueError(
        f"whether {name!r} is to be small or large must be said, but got its name "
        f"alone: give its perfect value, perfect=0.01 (--perfect 0.01), if small, "
        f"metric=tuner.Maximize({name!r}) (--maximize) if large"
    )


def _found(
    reported: Iterable[str], objective: Minimize | Maximize
) -> Minimize | Maximize:
    """An error or an accuracy among the metrics, the objective's own before others."""
    known = [*ERRORS, *ACCURACIES]
    mine = [_short(objective)] if _short(objective) in known else []
    for short in (*mine, *known):
        if (name := SET + short) in reported:
            return Maximize(name) if short in ACCURACIES else Minimize(name)
    raise ValueError(
        "a perfect fit is an error of 0 or an accuracy of 1, but an evaluation on the "
        f"training set reports {', '.join(reported) or 'nothing'}: let `evaluate` "
        'return an "error" too, or name the metric and its perfect value, '
        'metric="train/loss", perfect=0.01 '
        "(--metric train/loss --perfect 0.01)"
    )


def _short(objective: Minimize | Maximize) -> str:
    """A metric's name without its set."""
    return objective.metric.rpartition("/")[2]
