"""Before anything compiles: all that can be found wrong, and what would run.

Every trial of every round is planned, every schedule is made and made longer as later
rounds will, and one trial of each program is traced in the abstract.
"""

import dataclasses
from collections.abc import Mapping

from tuner.lanes.check import Signature, check
from tuner.rounds import rules, schedules
from tuner.rounds.groups import by_group, make_group, traced
from tuner.rounds.trials import Trial, planned
from tuner.study.study import Study


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study would train, without its promoted trials, which results decide.

    Attributes:
        rounds: the new trials of each round.
        groups: the programs, by name, and what their trials record.
    """

    study: Study
    rounds: tuple[tuple[Trial, ...], ...]
    groups: Mapping[str, Signature]

    @property
    def scheduled(self) -> tuple[str, ...]:
        """The names of the schedules of any trial, the learning rate first."""
        names = [name for trials in self.rounds for t in trials for name in t.schedules]
        return tuple(dict.fromkeys(names))

    @property
    def train(self) -> set[str]:
        """Metrics of a step, of any program."""
        return {name for signature in self.groups.values() for name in signature.train}

    @property
    def valid(self) -> set[str]:
        """Full names of an evaluation's metrics, of any program."""
        return {name for signature in self.groups.values() for name in signature.valid}


def preflight(study: Study) -> Plan:
    """Plan a study and check all of it.

    Raises:
        ValueError, TypeError: with the rule, the values and the remedy.
    """
    numbers = range(1, len(study.rounds) + 1)
    rounds = tuple(tuple(planned(study, number)) for number in numbers)
    everything = [trial for trials in rounds for trial in trials]
    for trial in everything:
        _extend_to_the_end(study, trial)
    groups = {
        name: check(make_group(study, members[0]), traced(study, members[0]))
        for name, members in by_group(study, everything).items()
    }
    rules.check(study, [signature.valid for signature in groups.values()])
    return Plan(study=study, rounds=rounds, groups=groups)


def _extend_to_the_end(study: Study, trial: Trial) -> None:
    """Try every extension that would await a trial, were it kept each time."""
    longer = trial.schedules
    for round_ in study.rounds[trial.round :]:
        if round_.extend is None:
            return
        try:
            longer = schedules.extend(round_, longer)
            schedules.rates(longer, round_.max_train_steps)
        except (ValueError, TypeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"extending {trial}: {error}") from error
