"""The best trial as Python: its configuration, and its schedule as code to copy."""

from collections.abc import Mapping
from typing import Any

from tuner.cli.texts import aligned, result
from tuner.runs import Run
from tuner.study.schedule import Schedule


def winner(run: Run) -> str:
    """The best trial, its configuration, its schedule, and how to restore its state.

    Raises:
        LookupError: where no trial has been evaluated.
    """
    best, study = run.best, run.definition["study"]
    hyperparams = {n: v for n, v in _below("hp", best).items() if v is not None}
    schedule = _schedule(best)
    literal = schedule.literal() if schedule else "the study's own function"
    directory, trial = str(run.directory), best["trial"]
    blocks = [
        f"{study['name']}: {result(best, study)}",
        aligned({name: repr(value) for name, value in hyperparams.items()}),
        f"schedule = {literal}",
        f"params = tuner.open_run({directory!r}).restore({trial})",
    ]
    return "\n\n".join(blocks)


def optax_of_winner(run: Run) -> str:
    """The best trial's schedule as Optax code.

    Raises:
        LookupError: where no trial has been evaluated.
        ValueError: where the schedule is a function of the study's own.
    """
    best = run.best
    schedule = _schedule(best)
    if schedule is None:
        raise ValueError(
            "only a tuner.Schedule can be written as Optax code, but the schedule of "
            f"trial {best['trial']} is a function of the study's own: call that"
        )
    return schedule.optax_code()


def _schedule(trial: Mapping[str, Any]) -> Schedule | None:
    """A trial's schedule, unless it is a plain function."""
    fields = _below("schedule", trial)
    return Schedule(**fields) if fields.get("peak") is not None else None


def _below(prefix: str, trial: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a trial's row that begin with a prefix, without it."""
    whole = f"{prefix}."
    return {
        name.removeprefix(whole): value
        for name, value in trial.items()
        if name.startswith(whole)
    }
