"""Whether a verdict on steps that was kept is about the study that runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuner.rounds.definition import data_digest
from tuner.rounds.wording import count
from tuner.store import verdict
from tuner.study.study import Study, describe


def subject(study: Study) -> dict[str, Any]:
    """What the steps to a perfect fit depend on: the data, and the task's batches."""
    return {"task": describe(study)["task"], "data": data_digest(study.task)}


def longer_is_in_vain(study: Study, directory: Path) -> Iterator[str]:
    """A line where rounds go on to longer horizons than it takes to fit the set.

    Args:
        study: what is to run.
        directory: of its run, where a verdict may be kept.
    """
    kept = verdict.read(directory)
    if kept is None or not kept["fits"]:
        return
    enough = kept["steps"] or kept["searched_steps"]
    longer = [
        (number, round_.max_train_steps)
        for number, round_ in enumerate(study.rounds, start=1)
        if round_.keep and round_.max_train_steps > enough
    ]
    if longer and kept["about"] == subject(study):
        number, steps = longer[0]
        yield (
            f"the training set is fitted within {count(enough, 'step')} "
            f"({directory / verdict.FOLDER / verdict.NAME}), so the study is not "
            f"compute-bound: round {number}'s {steps:,} steps are unlikely to help"
        )
