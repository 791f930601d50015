"""Small runs for the tests of the report, written by the store as training would."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tuner.runs import Run, open_run
from tuner.store.ledger import TrialRow
from tuner.store.writer import Commit, Writer

EVERY = 5  # steps
TRAIN = {
    "trial": pl.Int32,
    "step": pl.Int32,
    "examples": pl.Int64,
    "learning_rate": pl.Float32,
    "train/loss": pl.Float32,
}
VALID = {
    "trial": pl.Int32,
    "step": pl.Int32,
    "examples": pl.Int64,
    "valid/error": pl.Float32,
    "valid/loss": pl.Float32,
}
RANGE = {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}
CHOICE = {"type": "choice", "values": ["relu", "gelu"], "role": "scientific"}
OTHERWISE = {"role": "nuisance", "kind": None, "off": None, "hard": None}


@pytest.fixture(scope="session")
def space() -> dict[str, Any]:
    """A scientific choice and a learning rate."""
    return {
        "activation": OTHERWISE | CHOICE | {"static": True},
        "learning_rate": OTHERWISE | RANGE | {"static": False},
        "b2": {"type": "fixed", "value": 0.999, "role": "fixed"},
    }


@pytest.fixture(scope="session")
def trial() -> Callable[..., TrialRow]:
    """A complete trial of 100 steps; an objective of None has no result."""

    def make(
        number: int,
        objective: float | None = 0.1,
        *,
        activation: str | None = "relu",
        rate: float = 0.01,
        hyperparams: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> TrialRow:
        scientific = {"activation": activation} if activation else {}
        status = "complete" if objective is not None else "diverged"
        values = {
            "trial": number,
            "sample": number,
            "replicate": 0,
            "round": 1,
            "group": "all",
            "parent": None,
            "resumed_from": changes.get("parent"),
            "start_step": 0,
            "resume": "fresh",
            "status": status,
            "max_train_steps": 100,
            "step": 100 if objective is not None else 12,
            "best_step": 80 if objective is not None else None,
            "best_objective": objective,
            "final_objective": objective,
            "diverged_step": None if objective is not None else 13,
            "diverged_learning_rate": None if objective is not None else rate,
            "combination": json.dumps(scientific),
            "hyperparams": {**scientific, "learning_rate": rate, **(hyperparams or {})},
            "schedule": {},
        }
        return TrialRow(**values | changes)

    return make


@pytest.fixture
def make_run(tmp_path: Path, space) -> Callable[..., Run]:
    """Writes a run of some trials; of several, each lies in a directory of its own."""

    def make(
        trials: Sequence[TrialRow],
        *,
        name: str = "small",
        objective: Mapping[str, str] | None = None,
        domains: Mapping[str, Any] | None = None,
        rounds: Sequence[Mapping[str, Any]] | None = None,
    ) -> Run:
        study = {
            "name": name,
            "goal": "Find the better of two.",
            "objective": objective
            or {"metric": "valid/error", "direction": "minimize"},
            "space": domains or space,
            "rounds": rounds or [_round(100, trials=len(trials))],
            "eval_every": EVERY,
            "seed": 7,
            "sampling": "halton",
            "task": {"class": "SupervisedTask"},
        }
        directory = tmp_path / "run"
        write_run(directory, study, trials)
        return open_run(directory)

    return make


def write_run(
    directory: Path, study: Mapping[str, Any], trials: Sequence[TrialRow]
) -> None:
    """A run directory as training would leave it."""
    definition = {
        "study": study,
        "data": "0123456789abcdef" * 4,
        "layouts": {"all": "1x2x4"},
        "versions": {"jax": "0.10.2"},
        "python": "3.11.7",
        "device": {"platform": "cpu", "kind": "cpu"},
        "instruction_set": "avx2",
    }
    every = study["eval_every"]
    train = [_updates(row) for row in trials if row.step > row.start_step]
    valid = [_evaluations(row, every) for row in trials if row.step >= every]
    steps = sum(row.step - row.start_step for row in trials)
    with Writer(directory) as writer:
        writer.write_definition(definition)
        writer.fix_schemas(TRAIN, VALID)
        writer.commit(
            Commit(
                train=pl.concat([pl.DataFrame(schema=TRAIN), *train]),
                valid=pl.concat([pl.DataFrame(schema=VALID), *valid]),
                trials=trials,
                figures={"trial_steps": steps, "seconds": 2.0} if steps else {},
            )
        )


def _round(steps: int, *, trials: int = 0, keep: int = 0) -> dict[str, Any]:
    return {"max_train_steps": steps, "trials": trials, "points": [], "keep": keep}


def _updates(row: TrialRow) -> pl.DataFrame:
    """The rate rises for 10 steps and falls over the last 20; the loss is 1 / step."""
    steps = np.arange(row.start_step + 1, row.step + 1)
    peak = row.hyperparams.get("learning_rate", 0.1)
    left = row.max_train_steps - steps
    shape = np.minimum(1, np.minimum((steps - 1) / 10, (left + 1) / 20))
    columns = {"learning_rate": peak * shape, "train/loss": 1 / steps}
    return _frame(row, steps, columns, TRAIN)


def _evaluations(row: TrialRow, every: int) -> pl.DataFrame:
    """The objective is at its best at `best_step`, and worse the farther from there."""
    first = row.start_step // every * every + every
    steps = np.arange(first, row.step + 1, every)
    best = 0.5 if row.best_objective is None else row.best_objective
    error = best + np.abs(steps - (row.best_step or 0)) / 1000
    return _frame(row, steps, {"valid/error": error, "valid/loss": error + 1}, VALID)


def _frame(
    row: TrialRow,
    steps: np.ndarray,
    columns: Mapping[str, np.ndarray],
    schema: Mapping[str, Any],
) -> pl.DataFrame:
    first = {"trial": np.full(len(steps), row.trial), "step": steps}
    return pl.DataFrame(
        {**first, "examples": 32 * steps, **columns}, schema_overrides=schema
    ).cast(schema)
