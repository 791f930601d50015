"""Before anything compiles: all that can be found wrong, and what would run.

Every trial of every round is planned, every schedule is made and made longer as later
rounds will, and one trial of each program is traced in the abstract.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuner.lanes.check import Signature, check
from tuner.lanes.trial import Group
from tuner.rounds import rules
from tuner.rounds import schedules as schedules_
from tuner.rounds.bests import LANE, SNAPSHOT
from tuner.rounds.groups import by_group, make_group, traced
from tuner.rounds.recorder import schemas
from tuner.rounds.trials import Trial, planned
from tuner.study.study import Study


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study would train, without its promoted trials, which results decide.

    Attributes:
        rounds: the new trials of each round.
        members: the trials of each program, by its name.
        groups: the programs, by name, and what their trials record.
        best_state: where lanes have their best states, "lane" or "snapshot".
    """

    study: Study
    rounds: tuple[tuple[Trial, ...], ...]
    members: Mapping[str, Sequence[Trial]]
    groups: Mapping[str, Signature]
    best_state: str = LANE

    def group(self, name: str) -> Group:
        """What the trials of a program have in common."""
        group = make_group(self.study, self.members[name][0])
        return dataclasses.replace(group, best_in_lane=self.best_state == LANE)

    @property
    def schemas(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The columns of both tables: all that any trial records."""
        programs = self.groups.values()
        trials = itertools.chain(*self.rounds)
        return schemas(
            dict.fromkeys(name for trial in trials for name in trial.schedules),
            {name for signature in programs for name in signature.train},
            {name for signature in programs for name in signature.valid},
        )


def preflight(study: Study, best_state: str = LANE) -> Plan:
    """Plan a study and check all of it.

    Args:
        study: the study.
        best_state: "lane" or "snapshot".

    Raises:
        ValueError, TypeError: with the rule, the values and the remedy.
    """
    if best_state not in (LANE, SNAPSHOT):
        raise ValueError(
            f'best_state must be "{LANE}" or "{SNAPSHOT}", but got {best_state!r}'
        )
    numbers = range(1, len(study.rounds) + 1)
    rounds = tuple(tuple(planned(study, number)) for number in numbers)
    everything = [trial for trials in rounds for trial in trials]
    for trial in everything:
        _extend_to_the_end(study, trial)
    members = by_group(study, [*everything, *_evaluated_otherwise(study, rounds)])
    groups = {
        name: check(make_group(study, trials[0]), traced(study, trials[0]))
        for name, trials in members.items()
    }
    rules.check(study, [signature.valid for signature in groups.values()])
    return Plan(
        study=study,
        rounds=rounds,
        members=members,
        groups=groups,
        best_state=best_state,
    )


def _evaluated_otherwise(
    study: Study, rounds: Sequence[Sequence[Trial]]
) -> Iterator[Trial]:
    """Trials as they would go on in rounds that evaluate more or less often."""
    for number, round_ in enumerate(study.rounds, start=1):
        every = study.progression.eval_every_at(number)
        if round_.num_promoted and every != study.eval_every:
            for trial in itertools.chain(*rounds[: number - 1]):
                yield dataclasses.replace(trial, eval_every=every)


def _extend_to_the_end(study: Study, trial: Trial) -> None:
    """Try every extension that would await a trial, were it kept each time."""
    longer = [trial.schedules]
    for round_ in study.rounds[trial.round :]:
        if not round_.num_promoted:
            return
        try:
            steps = round_.max_train_steps
            longer = [
                schedules_.extend(rule, parent, steps)
                for parent in longer
                for rule in round_.extensions or (None,)
            ]
            for schedules in longer:
                schedules_.rates(schedules, steps)
        except (ValueError, TypeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"extending {trial}: {error}") from error
