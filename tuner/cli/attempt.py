"""One trial of the first round alone, to look into a task before a study runs."""

import math
from collections.abc import Iterator, Mapping

from tuner.lanes.alone import train_alone
from tuner.lanes.check import check
from tuner.rounds.groups import make_group, make_job, traced
from tuner.rounds.schedules import RATE
from tuner.rounds.trials import Trial, planned
from tuner.study.study import Study

WIDTH = 10  # characters of a column, or its name's


def attempt(
    study: Study, number: int, *, steps: int | None = None, eager: bool = False
) -> Iterator[str]:
    """Train a trial, and tell of it in lines.

    Args:
        study: the study.
        number: of a trial of its first round.
        steps: how many of its steps; all if None.
        eager: without `jax.jit`, and without tracing the task first.

    Raises:
        ValueError, TypeError: for another trial, too many steps, or what can never run.
    """
    trial = _find(study, number)
    steps = _checked_steps(trial, steps)
    group = make_group(study, trial)
    if not eager:
        check(group, traced(study, trial))
    yield str(trial)
    job = make_job(study, trial, start_step=0, trained=None)
    header = ""
    for step, metrics, evaluation in train_alone(group, job, steps=steps, eager=eager):
        if not _is_finite(metrics):
            rate = job.rates[RATE][step - 1]
            yield f"diverged: not finite at step {step:,} ({RATE}={rate:.4g})"
            return
        if evaluation is not None:
            row = {"train/loss": metrics["loss"], **dict(sorted(evaluation.items()))}
            if not header:
                yield (header := _header(row))
            yield _row(step, row)


def _find(study: Study, number: int) -> Trial:
    trials = list(planned(study, 1))
    if not 0 <= number < len(trials):
        raise ValueError(
            f"`0 <= trial < {len(trials)}`, the trials of the first round, must hold, "
            f"but got (trial={number})"
        )
    return trials[number]


def _checked_steps(trial: Trial, steps: int | None) -> int:
    horizon = trial.max_train_steps
    if steps is None:
        return horizon
    if not 1 <= steps <= horizon:
        raise ValueError(
            f"`1 <= steps <= {horizon}`, the trial's horizon, must hold, but got "
            f"(steps={steps})"
        )
    return steps


def _is_finite(metrics: Mapping[str, float]) -> bool:
    """Whether the lanes would go on: no metric but these breaks a trial."""
    return all(math.isfinite(metrics.get(n, 0.0)) for n in ("loss", "update_norm"))


def _header(row: Mapping[str, float]) -> str:
    return f"{'step':>7}" + "".join(f"  {name:>{WIDTH}}" for name in row)


def _row(step: int, row: Mapping[str, float]) -> str:
    widths = [max(WIDTH, len(name)) for name in row]
    cells = zip(row.values(), widths, strict=True)
    return f"{step:>7,}" + "".join(f"  {value:>{width}.4g}" for value, width in cells)
