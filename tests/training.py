"""Trains in lanes and keeps all that comes out, for tests of what it must be."""

import collections
import dataclasses

import numpy as np

from tuner.lanes.engine import Engine
from tuner.lanes.program import Program
from tuner.rounds.groups import make_group, make_job
from tuner.rounds.trials import planned


@dataclasses.dataclass
class Outcome:
    """What lanes have brought, by trial.

    Attributes:
        engine: that trained them.
        steps: of the rows, in the order in which they came.
        train: metrics of the steps, by name.
        valid: metrics of the evaluations, a dictionary for each.
        states: by trial and what they are kept for: the step, and the leaves.
    """

    engine: Engine
    steps: dict
    train: dict
    valid: dict
    states: dict

    @property
    def curves(self):
        """All rows: the same numbers exactly where they are equal."""
        return {trial: (self.train[trial], self.valid[trial]) for trial in self.steps}

    def losses(self, trial):
        """Step by step."""
        return self.train[trial]["loss"]


def train(program, jobs):
    """Train jobs to their ends."""
    engine = Engine(program)
    engine.submit(jobs)
    return finish(engine, jobs)


def finish(engine, jobs, meanwhile=lambda: None):
    """Let an engine go on until it has nothing to do; `meanwhile` after each call."""
    trials = [job.trial for job in jobs]
    outcome = Outcome(
        engine,
        steps={trial: [] for trial in trials},
        train={trial: collections.defaultdict(list) for trial in trials},
        valid={trial: [] for trial in trials},
        states={},
    )
    while engine.busy:
        if (called := engine.advance()) is not None:
            _keep(outcome, called)
            meanwhile()
    return outcome


def jobs_of(study, trials):
    """Trials from their beginnings."""
    return [make_job(study, trial, start_step=0, trained=None) for trial in trials]


def group_and_trials(study, **static):
    """A program of the study's first round, and those that train in it."""
    mine = [t for t in planned(study, 1) if static.items() <= t.hyperparams.items()]
    return make_group(study, mine[0]), mine


def compiled(study, layout, **static):
    """The same, the program compiled."""
    group, trials = group_and_trials(study, **static)
    program = Program(group, layout)
    program.compile()
    return program, trials


def same_states(one, other):
    """Whether two outcomes have kept the same states, bit for bit."""
    if one.keys() != other.keys():
        return False
    return all(
        one[key][0] == other[key][0]
        and all(
            np.array_equal(leaf, other[key][1][n]) for n, leaf in one[key][1].items()
        )
        for key in one
    )


def _keep(outcome, called):
    for i, trial in enumerate(called.trials.tolist()):
        kept = called.kept[i]
        outcome.steps[trial] += called.step[i, kept].tolist()
        for name, values in called.train.items():
            outcome.train[trial][name] += values[i, kept].tolist()
        if called.due[i] and called.good[i] == called.steps[i]:
            outcome.valid[trial].append(
                {n: float(a[i]) for n, a in called.valid.items()}
            )
    for copied in called.copied:
        for i, trial in enumerate(copied.trials):
            leaves = {name: array[i] for name, array in copied.arrays.items()}
            outcome.states[trial, copied.what] = copied.steps[i], leaves
