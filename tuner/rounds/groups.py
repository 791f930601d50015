"""Trials that share a program: the same static values, one entry a group."""

import ast
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tuner.lanes.job import Job
from tuner.lanes.trial import Group
from tuner.rounds.trials import Trial
from tuner.study.study import Study


def group_name(study: Study, trial: Trial) -> str:
    """Static values as text: those that the space leaves open, or a point changed.

    A round that evaluates more or less often than others has programs of its own.
    """
    fixed = study.space.fixed
    shown = {
        name: value
        for name, value in study.static(trial.hyperparams).items()
        if name not in fixed or fixed[name] != value
    }
    if trial.eval_every != study.eval_every:
        shown["eval_every"] = trial.eval_every
    texts = [f"{name}={_text(value)}" for name, value in shown.items()]
    return ", ".join(texts) or "all"


def _text(value: Any) -> str:
    """A value so that different ones differ: "None" in quotes, None without."""
    try:
        return repr(value) if ast.literal_eval(str(value)) != value else str(value)
    except (ValueError, SyntaxError):
        return str(value)


def by_group(study: Study, trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    """Trials by the program they share, in the order of first appearance.

    Raises:
        ValueError: where two trials of a program have schedules of other names.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        members = groups.setdefault(group_name(study, trial), [])
        if members and set(members[0].schedules) != set(trial.schedules):
            raise ValueError(
                "trials of one program must have the same schedules, but got "
                f"{sorted(members[0].schedules)} for trial {members[0].trial} and "
                f"{sorted(trial.schedules)} for trial {trial.trial}: return "
                "every name for every trial"
            )
        members.append(trial)
    return groups


def make_group(study: Study, trial: Trial) -> Group:
    """The program that a trial trains in."""
    static = study.static(trial.hyperparams)
    return Group(
        task=study.task,
        static=static,
        traced={n: _dtype(v) for n, v in traced(study, trial).items()},
        scheduled=tuple(trial.schedules),
        segment_steps=trial.eval_every,
        micro_batch_size=study.micro_batch_size,
        objective=study.target,
        seed=study.seed,
    )


def traced(study: Study, trial: Trial) -> dict[str, float | int]:
    """A trial's hyperparameters that are numbers of its lane."""
    static = study.static(trial.hyperparams)
    return {n: v for n, v in trial.hyperparams.items() if n not in static}


def make_job(
    study: Study,
    trial: Trial,
    *,
    start_step: int,
    trained: Mapping[str, np.ndarray] | None,
) -> Job:
    """What a lane needs to train a trial, from its beginning or from a snapshot."""
    micro = study.micro_batch_size
    batch = study.batch_size(trial.hyperparams) or 1
    return Job(
        trial=trial.trial,
        numbers=trial.numbers,
        hyperparams=traced(study, trial),
        rates=trial.rates,
        start_step=start_step,
        trained=trained,
        branch_step=trial.branch_step,
        micros=batch // micro if micro else 1,
    )


def _dtype(value: Any) -> Any:
    return np.int32 if isinstance(value, int) else np.float32
