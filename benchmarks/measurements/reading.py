"""P10: what reads a run: `tuner status`, and the report of a large one.

The report reads every row and draws the curves of the best trials alone, so its time
hardly grows. The run has 1,000 trials of 1,000 steps. It is written, not trained: its
curves are those of a rule with noise, through the same writer as any run's.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import tuner
from benchmarks.ours import make_study
from benchmarks.results import Figure, Findings, Scale
from benchmarks.workloads import EVAL_EVERY, load
from tuner.lanes.layout import Layout
from tuner.rounds.definition import definition
from tuner.rounds.preflight import Plan, preflight
from tuner.rounds.trials import Trial, canonical
from tuner.store.ledger import TrialRow
from tuner.store.writer import Commit, Writer

PART = 100  # trials of one commit


def reading(scale: Scale) -> Findings:
    """Seconds of the two commands, from start to end of their processes."""
    trials, steps = scale.of(1000, 4), scale.of(1000, 100)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "run"
        write_run(folder, trials, steps)
        commands = {"status": 0.5, "report": 10}
        figures = [
            Figure(
                number="P10",
                claim=f"`tuner {command}`",
                values=[_seconds(command, folder) for _ in range(scale.repeats)],
                most=most,
                unit="s",
            )
            for command, most in commands.items()
        ]
        run = tuner.open_run(folder)
        notes = {
            "train_rows": run.metrics("train").height,
            "page_bytes": (folder / "report.html").stat().st_size,
        }
    return Findings(
        title=f"A run of {trials} trials x {steps} steps", figures=figures, notes=notes
    )


def write_run(directory: Path, trials: int, steps: int) -> None:
    """A complete run, as if it had been trained."""
    study = make_study(load("mlp"), trials, steps)
    plan = preflight(study)
    train, valid = plan.schemas
    planned = plan.rounds[0]
    with Writer(directory) as writer:
        layouts = dict.fromkeys(plan.groups, str(Layout(2, 8, 4)))
        writer.write_definition(definition(study, {}) | {"layouts": layouts})
        writer.fix_schemas(train, valid)
        for first in range(0, trials, PART):
            some = planned[first : first + PART]
            writer.commit(_commit(plan, some, train, valid))


def _commit(plan: Plan, trials: tuple[Trial, ...], train: Any, valid: Any) -> Commit:
    rng = np.random.default_rng(trials[0].trial)
    curves = {trial.trial: _curve(trial, rng) for trial in trials}
    every = slice(EVAL_EVERY - 1, None, EVAL_EVERY)
    (group,) = plan.groups
    return Commit(
        train=_rows(trials, curves, train, slice(None)),
        valid=_rows(trials, curves, valid, every),
        trials=[_ledger_row(t, group, curves[t.trial][every]) for t in trials],
        figures={"sessions": 1, "seconds": 60.0, "trial_steps": 10**6},
    )


def _curve(trial: Trial, rng: np.random.Generator) -> np.ndarray:
    """A loss that falls as a power of the step, to where the rate allows."""
    step = np.arange(1, trial.max_train_steps + 1)
    floor = np.square(np.log10(trial.hyperparams["learning_rate"]) + 3) / 10
    noise = rng.normal(1, 0.05, len(step))
    return ((floor + 2 * step**-0.4) * noise).astype(np.float32)


def _rows(trials, curves, schema, steps) -> pl.DataFrame:
    """Every metric is the curve; a scheduled column is what the schedule says."""
    return pl.concat(
        pl.DataFrame(
            {name: _column(name, trial, curves[trial.trial])[steps] for name in schema},
            schema=schema,
        )
        for trial in trials
    )


def _column(name: str, trial: Trial, curve: np.ndarray) -> np.ndarray:
    step = np.arange(1, len(curve) + 1)
    known = {
        "trial": np.full_like(step, trial.trial),
        "step": step,
        "examples": 64 * step,
    }
    return known.get(name, trial.rates.get(name, curve))


def _ledger_row(trial: Trial, group: str, errors: np.ndarray) -> TrialRow:
    best = int(errors.argmin())
    return TrialRow(
        trial=trial.trial,
        sample=trial.sample,
        replicate=0,
        round=1,
        group=group,
        parent=None,
        start_step=0,
        resume="fresh",
        status="complete",
        max_train_steps=trial.max_train_steps,
        step=trial.max_train_steps,
        best_step=(best + 1) * EVAL_EVERY,
        best_objective=float(errors[best]),
        final_objective=float(errors[-1]),
        combination=canonical(trial.combination),
        hyperparams=trial.hyperparams,
        schedule=trial.schedules["learning_rate"].describe(),
    )


def _seconds(command: str, directory: Path) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "tuner", command, str(directory)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started
