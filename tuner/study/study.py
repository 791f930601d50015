"""A study as its author declares it: a question, a space, a task, and rounds.

What is declared is checked here, before anything is traced or compiled.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner.study.batching import check_batch_size, micro_batch_size
from tuner.study.hyperparams import Hyperparams
from tuner.study.keep import EVERYTHING, Keep
from tuner.study.names import unknown
from tuner.study.progression import Progression
from tuner.study.rounds import Round
from tuner.study.sampling import METHODS
from tuner.study.space import Space
from tuner.study.stopping import Rule, Target, as_rules
from tuner.study.stopping import describe as describe_rule
from tuner.study.task import Task
from tuner.study.text import check_text
from tuner.study.values import whole


@dataclasses.dataclass(frozen=True)
class Minimize:
    """The objective that is to be small; what a plain metric name stands for."""

    metric: str
    sign = 1.0


@dataclasses.dataclass(frozen=True)
class Maximize:
    """The objective that is to be large: `objective=Maximize("valid/accuracy")`."""

    metric: str
    sign = -1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """A question, and all that is needed to answer it.

    Args:
        name: a word for tables and folders.
        goal: the question, in a sentence.
        space: the hyperparameters.
        task: what is trained.
        schedule: `(hyperparams, max_train_steps) -> Schedule` (or any function of the
            count of updates, or a dictionary of either with the entry
            `learning_rate`), called on the host with plain numbers.
        objective: the metric that ranks trials; its best over the evaluations counts.
            Ties go to the lower loss of the same set, then to the lower trial.
        rounds: in order of growing horizons.
        eval_every: steps between evaluations; a divisor of every horizon.
        production_steps: the length of the run that all this is for, if that is known:
            reports then say what share of it a conclusion rests on.
        seed: rules all randomness.
        sampling: "halton" (scrambled, quasi-random), "random" or "grid".
        stop: rules, one or several: a `Target` that ends the study, a `Prune`, or any
            function of one trial's `Evaluations` that says whether to stop it. A trial
            that diverged stops always.
        budget_from: the directory of the run by which the numbers of steps were
            chosen. Its conditions are kept with the run, and what has changed since is
            a finding.
        snapshots: how many trials of each round keep their states when they have
            ended; all unless a `Keep` says otherwise.

    Raises:
        ValueError: for what can never run; see the message for the remedy.
    """

    name: str
    goal: str = ""
    space: Space
    task: Task
    schedule: Callable[[Hyperparams, int], Any]
    objective: str | Minimize | Maximize
    rounds: Sequence[Round]
    eval_every: int
    seed: int = 0
    sampling: str = "halton"
    stop: Rule | Target | Sequence[Any] = ()
    production_steps: int | None = None
    budget_from: str | Path | None = None
    snapshots: Keep = EVERYTHING

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounds", tuple(self.rounds))
        object.__setattr__(self, "stop", as_rules(self.stop))
        for name in ("eval_every", "seed", "production_steps"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, whole(name, value))
        if not isinstance(self.objective, Minimize | Maximize):
            object.__setattr__(self, "objective", Minimize(self.objective))
        _check_names(self)
        _check_numbers(self)
        check_batch_size(self.task, self.space, self._points)
        self.progression.check()
        checked = tuple(self.progression.checked_rounds())
        object.__setattr__(self, "rounds", checked)

    @property
    def target(self) -> Minimize | Maximize:
        """The objective, with its direction."""
        assert not isinstance(self.objective, str)
        return self.objective

    @property
    def rules(self) -> tuple[Rule | Target, ...]:
        """All of `stop`."""
        assert isinstance(self.stop, tuple)
        return self.stop

    def batch_size(self, configuration: Mapping[str, Any]) -> int | None:
        """Examples in a batch of a trial; None for a task without batches."""
        return configuration.get("batch_size", self.task.batch_size)

    @property
    def micro_batch_size(self) -> int | None:
        """Examples that are seen at a time; None where batches are seen whole."""
        return micro_batch_size(self.task, self.space, self._points)

    def examples_per_step(self, configuration: Mapping[str, Any]) -> int:
        """Examples that one step of a trial counts as."""
        return self.batch_size(configuration) or self.task.examples_per_step

    def static(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """The values that a trial's program is compiled for.

        The batch size is one of them, unless sizes share a program.
        """
        names = {*self.space.static(configuration), "batch_size"}
        if self.task.traces_batch_size:
            names.discard("batch_size")
        return {name: v for name, v in configuration.items() if name in names}

    @property
    def progression(self) -> Progression:
        """What its rounds are to each other."""
        return Progression(self.rounds, self.space, self.eval_every)

    @property
    def _points(self) -> list[Mapping[str, Any]]:
        """The explicit configurations of all rounds."""
        return [point for round_ in self.rounds for point in round_.points]


def _check_names(study: Study) -> None:
    for field in ("name", "goal", "sampling"):
        check_text(field, getattr(study, field))
    check_text("objective", study.target.metric)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{,99}", study.name):
        raise ValueError(
            "a study's name is a folder's: up to 100 letters, digits, '_', '.' and "
            f"'-', a letter or digit first, but got {study.name!r}: say the rest in "
            "goal="
        )
    if study.sampling not in METHODS:
        raise ValueError(unknown("sampling method", study.sampling, METHODS))


def _check_numbers(study: Study) -> None:
    if study.eval_every < 1:
        raise ValueError(
            f"`eval_every >= 1` must hold, but got eval_every={study.eval_every}"
        )
    if (steps := study.production_steps) is not None and steps < 1:
        raise ValueError(
            f"`production_steps >= 1` must hold, but got production_steps={steps}"
        )
    if not 0 <= study.seed < 2**64:
        raise ValueError(f"`0 <= seed < 2**64` must hold, but got seed={study.seed}")


def describe(study: Study) -> dict[str, Any]:
    """The definition as JSON data: what tells one study from another."""
    return {
        "name": study.name,
        "goal": study.goal,
        "objective": {
            "metric": study.target.metric,
            "direction": "minimize" if study.target.sign > 0 else "maximize",
        },
        "space": study.space.describe(),
        "rounds": [round_.describe() for round_ in study.rounds],
        "eval_every": study.eval_every,
        "seed": study.seed,
        "sampling": study.sampling,
        "stop": [describe_rule(rule) for rule in study.rules],
        "production_steps": study.production_steps,
        "snapshots": dataclasses.asdict(study.snapshots),
        "task": {
            "class": type(study.task).__name__,
            "batch_size": study.task.batch_size,
            "micro_batch_size": study.micro_batch_size,
            "training_examples": len(study.task.train) if study.task.train else None,
            "augment": study.task.augmentation,
        },
    }
