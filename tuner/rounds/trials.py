"""The trials of a round as they are planned: sampled, given as points, or promoted.

What decides a trial's bits is here: its sample number, its scientific combination, its
hyperparameters and its schedules. What became of it is the ledger's.
"""

import dataclasses
import functools
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tuner.rounds import schedules as schedules_
from tuner.study.hyperparams import Hyperparams
from tuner.study.sampling import sample
from tuner.study.study import Round, Study


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial as it was planned.

    Attributes:
        trial: its number.
        sample: its place in the sequence of its combination; below 0 for points.
        replicate: which of several runs of one configuration.
        round: counted from 1.
        parent: the trial it was promoted from, or None.
        combination: its scientific values.
        hyperparams: all its values, by flat names.
        schedules: by name; `learning_rate` is the first.
        max_train_steps: its horizon.
        start_step: where its own steps begin: above 0 it resumes from its parent's
            state there.
        branch_step: the step whose state is kept for promotion, or None.
    """

    trial: int
    sample: int
    replicate: int = 0
    round: int
    parent: int | None = None
    combination: Mapping[str, Any]
    hyperparams: Mapping[str, Any]
    schedules: schedules_.Schedules
    max_train_steps: int
    start_step: int = 0
    branch_step: int | None = None

    @property
    def numbers(self) -> tuple[int, int, int]:
        """What its randomness comes from: sample, combination, replicate."""
        combination = zlib.crc32(canonical(self.combination).encode())
        return self.sample & 0xFFFFFFFF, combination, self.replicate

    @functools.cached_property
    def rates(self) -> dict[str, np.ndarray]:
        """What its schedules say for every update, float32 [max_train_steps] each."""
        return schedules_.rates(self.schedules, self.max_train_steps)

    def __str__(self) -> str:
        """How an error names it."""
        values = ", ".join(f"{name}={v!r}" for name, v in self.hyperparams.items())
        return f"trial {self.trial} ({values})"


def canonical(values: Mapping[str, Any]) -> str:
    """Values as text, the same for the same values."""
    return json.dumps(dict(values), sort_keys=True)


def planned(study: Study, number: int) -> Iterator[Trial]:
    """The trials that round `number`, from 1, adds: samples first, then points.

    A sample's number goes on where the rounds before have stopped.

    Raises:
        ValueError: where a schedule cannot be; the message names the trial.
    """
    first = sum(_size(round_) for round_ in study.rounds[: number - 1])
    for offset, chosen in enumerate(_configurations(study, number)):
        sample_number, combination, hyperparams = chosen
        yield with_schedules(
            study,
            Trial(
                trial=first + offset,
                sample=sample_number,
                round=number,
                combination=combination,
                hyperparams=hyperparams,
                schedules={},
                max_train_steps=study.rounds[number - 1].max_train_steps,
            ),
        )


def promoted(study: Study, number: int, parents: list[Trial]) -> Iterator[Trial]:
    """The children of the trials that round `number` keeps, before their start is set.

    They keep their parent's sample number, and with it its randomness.
    """
    round_ = study.rounds[number - 1]
    first = sum(_size(r) for r in study.rounds[:number]) - round_.keep
    for offset, parent in enumerate(parents):
        child = dataclasses.replace(
            parent,
            trial=first + offset,
            round=number,
            parent=parent.trial,
            schedules=schedules_.extend(round_, parent.schedules),
            max_train_steps=round_.max_train_steps,
            start_step=0,
        )
        yield with_branch_step(study, child)


def with_schedules(study: Study, trial: Trial) -> Trial:
    """A first-round trial with what the study's `schedule` says for it."""
    hyperparams = Hyperparams(trial.hyperparams)
    try:
        returned = study.schedule(hyperparams, trial.max_train_steps)
        named = schedules_.as_schedules(returned)
        return with_branch_step(study, dataclasses.replace(trial, schedules=named))
    except (ValueError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"the schedule of {trial}: {error}") from error


def with_branch_step(study: Study, trial: Trial) -> Trial:
    """The trial, knowing where a longer one can begin."""
    following = study.rounds[trial.round] if trial.round < len(study.rounds) else None
    step = schedules_.branch_step(
        trial.schedules, trial.max_train_steps, study.eval_every, following
    )
    return dataclasses.replace(trial, branch_step=step)


def _size(round_: Round) -> int:
    return round_.trials + len(round_.points) + round_.keep


def _configurations(study: Study, number: int) -> Iterator[tuple[int, dict, dict]]:
    """Sample number, scientific combination and hyperparameters of each new trial."""
    combinations = study.space.combinations()
    earlier, round_ = study.rounds[: number - 1], study.rounds[number - 1]
    drawn = sum(r.trials for r in earlier) // len(combinations)
    pointed = sum(len(r.points) for r in earlier)
    samples = [
        []
        if not round_.trials
        else sample(
            study.space,
            combination,
            seed=study.seed,
            version=0,
            start=drawn,
            count=round_.trials // len(combinations),
            method=study.sampling,
        )
        for combination in combinations
    ]
    for i, row in enumerate(zip(*samples, strict=True), start=drawn):
        for combination, hyperparams in zip(combinations, row, strict=True):
            yield i, combination, hyperparams
    for i, point in enumerate(round_.points, start=pointed + 1):
        hyperparams = study.space.complete(point)
        yield -i, _combination(combinations, hyperparams), hyperparams


def _combination(combinations: list[dict], hyperparams: Mapping[str, Any]) -> dict:
    """The scientific combination that a point belongs to."""
    return next(c for c in combinations if c.items() <= hyperparams.items())
