"""What a study's functions are, so that another time it is seen which have changed.

Those of the task are known by fingerprints of what they compute. Those that the host
calls are known by what they say of the planned trials: `schedule`, and an `extend` of
one's own. A study may have grown since, so these are compared on the trials that it
had; new ones come last.
"""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuner.lanes.fingerprints import DIGITS, fingerprints
from tuner.rounds import schedules as schedules_
from tuner.rounds.preflight import Plan
from tuner.rounds.trials import Trial
from tuner.study.rounds import describe_extension
from tuner.study.schedule import Schedule
from tuner.study.study import Study

CODE = ("jax", "jaxlib", "optax", "flax")  # libraries that fingerprints depend on


@dataclasses.dataclass(frozen=True)
class Functions:
    """All functions of a study.

    Attributes:
        traced: fingerprints by function and program.
        values: by function and round, a hash for each planned trial, in their order.
    """

    traced: Mapping[str, Mapping[str, str]]
    values: Mapping[str, Mapping[str, Sequence[str]]]

    def describe(self) -> dict[str, Any]:
        """Them as JSON data."""
        said: dict[str, Any] = {name: dict(of) for name, of in self.traced.items()}
        for name, rounds in self.values.items():
            said[name] = {
                place: {"trials": len(hashes), "sha256": _digest(hashes)}
                for place, hashes in rounds.items()
            }
        return said

    def changed_since(self, before: Mapping[str, Any], *, values: bool) -> list[str]:
        """The names of those that are others than a description says.

        Args:
            before: what `describe` said.
            values: whether to look at those that the host calls.
        """
        names = dict.fromkeys([*before, *self.traced, *self.values])
        return [name for name in names if self._differs(name, before, values)]

    def _differs(self, name: str, before: Mapping[str, Any], values: bool) -> bool:
        old = before.get(name, {})
        if name in self.values or any(isinstance(v, Mapping) for v in old.values()):
            now = self.values.get(name, {})
            return values and any(
                known["sha256"] != _digest(now[place][: known["trials"]])
                for place, known in old.items()
                if place in now
            )
        now = self.traced.get(name, {})
        if not (old and now):
            return True  # one that was not there, or that no longer is
        return any(
            now.get(program, print_) != print_ for program, print_ in old.items()
        )


def functions_of(plan: Plan) -> Functions:
    """The functions of a planned study."""
    groups = {name: plan.group(name) for name in plan.members}
    trials = list(itertools.chain(*plan.rounds))
    values: dict[str, dict[str, list[str]]] = {"schedule": {}}
    for trial in trials:
        own = values["schedule"].setdefault(_place(trial), [])
        own.append(_hash(trial.schedules, trial.max_train_steps))
    if any(map(_is_ones_own, _extensions(plan.study))):
        values["extend"] = {}
        for trial in trials:
            for number, longer, steps in _extended(plan.study, trial):
                place = f"{_place(trial)}, in round {number}"
                own = values["extend"].setdefault(place, [])
                own.append(_digest([_hash(schedules, steps) for schedules in longer]))
    return Functions(fingerprints(groups), values)


def _place(trial: Trial) -> str:
    """Points stand behind samples, of which there may be more another time."""
    points = "points of " if trial.sample < 0 else ""
    return f"{points}round {trial.round}"


def _hash(schedules: schedules_.Schedules, steps: int) -> str:
    """What schedules are: fields, or of a function the rates."""
    digest = hashlib.sha256()
    for name, schedule in schedules.items():
        digest.update(name.encode())
        if isinstance(schedule, Schedule):
            digest.update(json.dumps(schedule.describe(), default=float).encode())
        else:
            digest.update(schedules_.rates({name: schedule}, steps)[name].tobytes())
    return digest.hexdigest()


def _digest(hashes: Sequence[str]) -> str:
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:DIGITS]


def _extensions(study: Study) -> Iterator[Any]:
    for round_ in study.rounds:
        yield from round_.extensions


def _is_ones_own(rule: Any) -> bool:
    return "function" in describe_extension(rule)


def _extended(
    study: Study, trial: Trial
) -> Iterator[tuple[int, list[schedules_.Schedules], int]]:
    """A trial's schedules in each later round, were it kept every time."""
    longer = [trial.schedules]
    for number, round_ in enumerate(study.rounds[trial.round :], trial.round + 1):
        if not round_.num_promoted:
            return
        steps = round_.max_train_steps
        longer = [
            schedules_.extend(rule, parent, steps)
            for parent in longer
            for rule in round_.extensions or (None,)
        ]
        yield number, longer, steps
