"""A study as its author declares it: a question, a space, a task, and rounds.

What is declared is checked here, before anything is traced or compiled.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuner.study.batching import check_batch_size, micro_batch_size
from tuner.study.hyperparams import Hyperparams
from tuner.study.names import unknown
from tuner.study.sampling import METHODS
from tuner.study.space import Space
from tuner.study.stopping import Rule, Target, as_rules
from tuner.study.stopping import describe as describe_rule
from tuner.study.task import Task
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
class Round:
    """Trials that train to one horizon.

    Args:
        max_train_steps: the horizon of every trial in the round, steps.
        trials: how many new trials are sampled, shared evenly by the scientific
            combinations.
        points: explicit configurations that run beside the sampled trials: flat names
            to values, all that is searched.
        keep: how many of the previous round's trials go on, shared evenly by the
            scientific combinations. The broken never do.
        across: "each": every scientific combination keeps its share. "all": all are
            ranked together, and a combination may drop out.
        extend: how a kept trial's schedule becomes longer: a rule such as
            `LengthenConstant()`, or any `(schedule, max_train_steps) -> schedule`.

    Raises:
        ValueError: for a round that would train nothing, or numbers out of range.
    """

    max_train_steps: int
    trials: int = 0
    points: Sequence[Mapping[str, Any]] = ()
    keep: int = 0
    across: str = "each"
    extend: Callable[[Any, int], Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", tuple(dict(p) for p in self.points))
        for name, least in (("max_train_steps", 1), ("trials", 0), ("keep", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(
                    f"`{name} >= {least}`, a whole number, must hold, "
                    f"but got {name}={value!r}"
                )
        if not (self.trials or self.points or self.keep):
            raise ValueError("a round needs trials=, points= or keep=, but has none")
        if self.across not in ("each", "all"):
            raise ValueError(f'across must be "each" or "all", but got {self.across!r}')
        if bool(self.keep) != (self.extend is not None):
            raise ValueError(
                "keep= and extend= go together, but got "
                f"(keep={self.keep}, extend={self.extend}): pass "
                "extend=tuner.LengthenConstant() for schedules with a constant phase, "
                "tuner.Stretch() for a cosine"
            )


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
        seed: rules all randomness.
        sampling: "halton" (scrambled, quasi-random), "random" or "grid".
        stop: rules, one or several: a `Target` that ends the study, a `Prune`, or any
            function of one trial's `Evaluations` that says whether to stop it. A trial
            that diverged stops always.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounds", tuple(self.rounds))
        object.__setattr__(self, "stop", as_rules(self.stop))
        for name in ("eval_every", "seed"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        if isinstance(self.objective, str):
            object.__setattr__(self, "objective", Minimize(self.objective))
        _check_names(self)
        _check_numbers(self)
        check_batch_size(self.task, self.space, self._points)
        _check_rounds(self)
        combinations = len(self.space.combinations())
        for number, round_ in enumerate(self.rounds):
            _check_shares(number, round_, combinations)
        rounds = [_with_checked_points(self.space, round_) for round_ in self.rounds]
        object.__setattr__(self, "rounds", tuple(rounds))

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
    def _points(self) -> list[Mapping[str, Any]]:
        """The explicit configurations of all rounds."""
        return [point for round_ in self.rounds for point in round_.points]


def _with_checked_points(space: Space, round_: Round) -> Round:
    """The round, its points' values as the space writes them (NumPy's numbers too)."""
    completed = [space.complete(point) for point in round_.points]
    points = [
        {name: whole[name] for name in point}
        for point, whole in zip(round_.points, completed, strict=True)
    ]
    return dataclasses.replace(round_, points=points)


def _check_names(study: Study) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", study.name):
        raise ValueError(
            "a study's name is letters, digits, '_', '.' and '-', "
            f"but got {study.name!r}"
        )
    if study.sampling not in METHODS:
        raise ValueError(unknown("sampling method", study.sampling, METHODS))


def _check_numbers(study: Study) -> None:
    if study.eval_every < 1:
        raise ValueError(
            f"`eval_every >= 1` must hold, but got eval_every={study.eval_every}"
        )
    if not 0 <= study.seed < 2**64:
        raise ValueError(f"`0 <= seed < 2**64` must hold, but got seed={study.seed}")


def _check_rounds(study: Study) -> None:
    if not study.rounds:
        raise ValueError("a study needs at least one Round, but got none")
    if study.rounds[0].keep:
        raise ValueError(
            f"the first round has no earlier trials to keep, but got "
            f"keep={study.rounds[0].keep}: use trials= or points="
        )
    before, trained = 0, 0
    for number, round_ in enumerate(study.rounds):
        steps = round_.max_train_steps
        if steps % study.eval_every:
            low = steps // study.eval_every * study.eval_every
            raise ValueError(
                "eval_every must divide every max_train_steps, but got "
                f"(eval_every={study.eval_every}, max_train_steps={steps}) in round "
                f"{number + 1}: {low or study.eval_every} or "
                f"{low + study.eval_every} would do"
            )
        if steps <= before:
            raise ValueError(
                "each round must be longer than the one before, but got "
                f"max_train_steps={steps} after {before}"
            )
        if number and round_.keep > trained:
            raise ValueError(
                "`keep <= trials of the round before` must hold, but got "
                f"(keep={round_.keep}, trials={trained}) in round {number + 1}"
            )
        before = steps
        trained = round_.trials + len(round_.points) + round_.keep


def _check_shares(number: int, round_: Round, combinations: int) -> None:
    for name in ("trials", "keep"):
        value = getattr(round_, name)
        if name == "keep" and round_.across == "all":
            continue
        if value % combinations:
            low = value // combinations * combinations
            near = [str(n) for n in (low, low + combinations) if n]
            raise ValueError(
                f"{name} is shared evenly by the {combinations} scientific "
                f"combinations, but got {name}={value} in round {number + 1}: "
                f"{' or '.join(near)} would do"
            )


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
        "rounds": [_describe_round(round_) for round_ in study.rounds],
        "eval_every": study.eval_every,
        "seed": study.seed,
        "sampling": study.sampling,
        "stop": [describe_rule(rule) for rule in study.rules],
        "task": {
            "class": type(study.task).__name__,
            "batch_size": study.task.batch_size,
            "micro_batch_size": study.micro_batch_size,
            "training_examples": len(study.task.train) if study.task.train else None,
        },
    }


def _describe_round(round_: Round) -> dict[str, Any]:
    fields = {
        field.name: getattr(round_, field.name) for field in dataclasses.fields(round_)
    }
    extend = round_.extend
    if extend is not None:
        name = getattr(extend, "__name__", type(extend).__name__)
        describe_rule = getattr(extend, "describe", lambda: {"function": name})
        fields["extend"] = describe_rule()
    fields["points"] = [dict(point) for point in round_.points]
    return fields
