"""The trials of a round as they are planned: sampled, given as points, or promoted.

What decides a trial's bits is here: its sample number, its scientific combination, its
hyperparameters and its schedules. What became of it is the ledger's.
"""

import dataclasses
import functools
import json
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tuner.rounds import schedules as schedules_
from tuner.study.blame import blaming
from tuner.study.hyperparams import Hyperparams
from tuner.study.progression import combination_of
from tuner.study.rounds import extension_text
from tuner.study.sampling import sample
from tuner.study.study import Study


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial as it was planned.

    Attributes:
        trial: its number.
        sample: its place in the sequence of its combination; below 0 for points.
        replicate: which of several runs of one configuration, each from its own seed.
        round: counted from 1.
        parent: the trial it was promoted from, or None.
        combination: its scientific values.
        hyperparams: all its values, by flat names.
        schedules: by name; `learning_rate` is the first.
        max_train_steps: its horizon.
        eval_every: steps between its evaluations.
        extend: the rule that made its parent's schedules longer, as it is written.
        control: whether it was promoted although it was not among the best.
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
    eval_every: int
    extend: str | None = None
    control: bool = False
    branch_step: int | None = None

    @property
    def numbers(self) -> tuple[int, int, int]:
        """What its randomness comes from: sample, combination, replicate.

        Replicates beyond the first have the same random numbers in all configurations:
        they can be compared in pairs.
        """
        if self.replicate:
            return 0, 0, self.replicate
        combination = zlib.crc32(canonical(self.combination).encode())
        return self.sample & 0xFFFFFFFF, combination, 0

    @property
    def identity(self) -> tuple:
        """What two trials have in common if only their schedules can differ."""
        return self.numbers, canonical(self.hyperparams)

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
    progression = study.progression
    replicates = progression.replicates(number)
    first = _first(study, number)
    for offset, chosen in enumerate(_configurations(study, number)):
        sample_number, combination, hyperparams = chosen
        for place, replicate in enumerate(replicates):
            yield with_schedules(
                study,
                Trial(
                    trial=first + offset * len(replicates) + place,
                    sample=sample_number,
                    replicate=replicate,
                    round=number,
                    combination=combination,
                    hyperparams=hyperparams,
                    schedules={},
                    max_train_steps=study.rounds[number - 1].max_train_steps,
                    eval_every=progression.eval_every_at(number),
                ),
            )


def promoted(
    study: Study, number: int, parents: Iterable[Trial], controls: Container[int] = ()
) -> Iterator[Trial]:
    """The children of the trials that go on in round `number`, one for each rule.

    They keep their parent's sample number and replicate, and with them its randomness,
    unless the round has seeds of its own.

    Args:
        study: the study.
        number: of the round.
        parents: in the order of their children's numbers.
        controls: which of them are not among the best.
    """
    round_, progression = study.rounds[number - 1], study.progression
    trial = _first(study, number) + progression.num_new(number)
    for parent in parents:
        own = [parent.replicate]
        replicates = own if round_.seeds is None else progression.replicates(number)
        for rule in round_.extensions or (None,):
            longer = schedules_.extend(rule, parent.schedules, round_.max_train_steps)
            for replicate in replicates:
                child = dataclasses.replace(
                    parent,
                    trial=trial,
                    replicate=replicate,
                    round=number,
                    parent=parent.trial,
                    schedules=longer,
                    max_train_steps=round_.max_train_steps,
                    eval_every=progression.eval_every_at(number),
                    extend=None if rule is None else extension_text(rule),
                    control=parent.trial in controls,
                )
                yield with_branch_step(study, child)
                trial += 1


def with_schedules(study: Study, trial: Trial) -> Trial:
    """A first-round trial with what the study's `schedule` says for it."""
    hyperparams = Hyperparams(trial.hyperparams)
    with blaming(f"In the schedule of {trial}"):
        return _with_schedules(study, trial, hyperparams)


def _with_schedules(study: Study, trial: Trial, hyperparams: Hyperparams) -> Trial:
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
        trial.schedules,
        trial.max_train_steps,
        study.progression.common_interval(trial.round),
        following,
    )
    return dataclasses.replace(trial, branch_step=step)


def _first(study: Study, number: int) -> int:
    """The number of a round's first trial: those before have all they may need."""
    progression = study.progression
    return sum(
        progression.num_new(n) + progression.most_promoted(n) for n in range(1, number)
    )


def _configurations(study: Study, number: int) -> Iterator[tuple[int, dict, dict]]:
    """Sample number, scientific combination and hyperparameters of each new trial."""
    progression, round_ = study.progression, study.rounds[number - 1]
    space = progression.space_at(number)
    combinations = space.combinations()
    drawn, drawn_of_version = progression.drawn_before(number)
    pointed = sum(len(r.points) for r in study.rounds[: number - 1])
    samples = [
        []
        if not round_.trials
        else sample(
            space,
            combination,
            seed=study.seed,
            version=progression.version_at(number),
            start=drawn_of_version,
            count=round_.trials // len(combinations),
            method=study.sampling,
        )
        for combination in combinations
    ]
    for i, row in enumerate(zip(*samples, strict=True), start=drawn):
        for combination, hyperparams in zip(combinations, row, strict=True):
            yield i, combination, hyperparams
    for i, point in enumerate(round_.points, start=pointed + 1):
        yield -i, combination_of(space, point), space.complete(point)
