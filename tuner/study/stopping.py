"""When to stop: a trial by what it has recorded, a study once its target is reached.

A rule is a function of one trial's evaluations that says whether to stop that trial. It
sees no other trial. Which of them have been evaluated by then depends on lanes, on
refills and on interruptions, and a trial must not; rules that compare trials would make
it so.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tuner.study.names import unknown
from tuner.study.values import number, whole


class Metrics(dict[str, np.ndarray]):
    """Metrics by name; a name that is not there is told of those that are."""

    def __missing__(self, name: str) -> np.ndarray:
        raise KeyError(unknown("metric", name, self))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluations:
    """What a trial has recorded up to now; of one that was promoted, its prefix too.

    Attributes:
        step: of each evaluation, [evaluations].
        objective: as it was recorded, [evaluations].
        metrics: those of all evaluation sets by their full names, [evaluations] each.
        max_train_steps: the trial's horizon, steps.
        maximize: whether the objective is to be large.
    """

    step: np.ndarray
    objective: np.ndarray
    metrics: Mapping[str, np.ndarray]
    max_train_steps: int
    maximize: bool = False

    @property
    def best(self) -> np.ndarray:
        """The best objective so far, [evaluations]; NaN before the first number."""
        better = np.fmax if self.maximize else np.fmin
        return better.accumulate(self.objective)


Rule = Callable[[Evaluations], bool]


@dataclasses.dataclass(frozen=True)
class Target:
    """An objective that is good enough: a trial that reaches it ends the study.

    What waits or trains then is stopped, and no later round begins.

    Args:
        objective: to be reached or surpassed by a trial's best; that of a trial that
            broke does not count.

    Examples:
        >>> Target(0.02).is_reached(0.01), Target(0.9).is_reached(0.8, maximize=True)
        (True, False)
    """

    objective: int | float

    def __post_init__(self) -> None:
        object.__setattr__(self, "objective", number("objective", self.objective))

    def is_reached(self, objective: float | None, *, maximize: bool = False) -> bool:
        """Whether a recorded objective is as good: compared in the 32 bits it has."""
        if objective is None:
            return False
        one, other = np.float32(objective), np.float32(self.objective)
        return bool(one >= other if maximize else one <= other)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prune:
    """Stops a trial whose best objective so far is too bad, or improves no more.

    Trials in the middle of training, or at a rate that has not decayed, may rank quite
    unlike annealed ones: where a learning rate or a schedule is searched, a short round
    and a longer one for its best are the safer way, and a run says so before it begins.

    Args:
        worse_than: by step, the worst objective that is good enough from there on:
            `{200: 0.5, 1000: 0.2}`.
        patience: how many evaluations in a row without a better objective stop it.

    Raises:
        ValueError, TypeError: for a rule that could stop nothing, or numbers that
            cannot be.

    Examples:
        >>> losses = np.array([0.9, 0.4, 0.6, 0.5])
        >>> evaluations = Evaluations(
        ...     step=np.array([25, 50, 75, 100]), objective=losses, metrics={},
        ...     max_train_steps=500,
        ... )
        >>> Prune(worse_than={100: 0.3})(evaluations), Prune(patience=3)(evaluations)
        (True, False)
    """

    worse_than: Mapping[int, int | float] = dataclasses.field(default_factory=dict)
    patience: int | None = None

    def __post_init__(self) -> None:
        table = {
            _positive("a step of worse_than", step): number("worse_than", objective)
            for step, objective in self.worse_than.items()
        }
        object.__setattr__(self, "worse_than", dict(sorted(table.items())))
        if self.patience is not None:
            patience = _positive("patience", self.patience)
            object.__setattr__(self, "patience", patience)
        elif not table:
            raise ValueError(
                "a Prune needs worse_than= or patience=, but has neither: "
                "Prune(patience=10), or Prune(worse_than={1000: 0.2})"
            )

    def __call__(self, evaluations: Evaluations) -> bool:
        """Whether to stop the trial."""
        return self._is_too_bad(evaluations) or self._is_stalled(evaluations)

    def describe(self) -> dict[str, Any]:
        """The rule as JSON data."""
        table = {str(step): objective for step, objective in self.worse_than.items()}
        return {"type": "Prune", "worse_than": table, "patience": self.patience}

    def _is_too_bad(self, evaluations: Evaluations) -> bool:
        limits = [
            limit
            for step, limit in self.worse_than.items()
            if step <= evaluations.step[-1]
        ]
        if not limits:
            return False
        best = evaluations.best[-1].item()
        return not Target(limits[-1]).is_reached(best, maximize=evaluations.maximize)

    def _is_stalled(self, evaluations: Evaluations) -> bool:
        if self.patience is None:
            return False
        best = evaluations.best
        improved = int(np.argmax(best == best[-1]))  # 0 where there is no number yet
        return len(best) - 1 - improved >= self.patience


def as_rules(stop: Any) -> tuple[Rule | Target, ...]:
    """The rules that a study was given, one alone or several.

    Raises:
        TypeError: for what is no rule.
        ValueError: for more than one target.
    """
    rules = tuple(stop) if isinstance(stop, list | tuple) else (stop,)
    for rule in rules:
        if isinstance(rule, type) or not (callable(rule) or isinstance(rule, Target)):
            raise TypeError(_no_rule(rule))
    if len(targets := [rule for rule in rules if isinstance(rule, Target)]) > 1:
        raise ValueError(
            f"a study has one target at most, but got {', '.join(map(str, targets))}: "
            "the one that is easier to reach would always end it"
        )
    return rules


def trial_rules(stop: Iterable[Rule | Target]) -> tuple[Rule, ...]:
    """The rules that stop trials."""
    return tuple(rule for rule in stop if not isinstance(rule, Target))


def target(stop: Iterable[Rule | Target]) -> Target | None:
    """The rule that ends the study, if there is one."""
    return next((rule for rule in stop if isinstance(rule, Target)), None)


def rule_name(rule: Rule) -> str:
    """How a table and an error name a rule."""
    return getattr(rule, "__name__", type(rule).__name__)


def describe(rule: Rule | Target) -> dict[str, Any]:
    """A rule as JSON data: one of the user's own by its name."""
    if isinstance(rule, Target):
        return {"target": rule.objective}
    return getattr(rule, "describe", lambda: {"function": rule_name(rule)})()


def described_target(study: Mapping[str, Any]) -> Target | None:
    """The target of a study that `study.json` describes."""
    rules = study.get("stop", ())
    return next((Target(rule["target"]) for rule in rules if "target" in rule), None)


def _positive(name: str, value: Any) -> int:
    if whole(name, value) < 1:
        raise ValueError(f"`{name} >= 1` must hold, but got {value}")
    return int(value)


def _no_rule(value: Any) -> str:
    return (
        "stop= takes rules: a tuner.Target, a tuner.Prune, or a function of a trial's "
        f"evaluations that returns whether to stop it, but got {value!r}"
    )
