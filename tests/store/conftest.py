"""Small values for the tests of the store: rows, stacks, frames, and a flipped bit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tuner.store.ledger import TrialRow
from tuner.store.snapshots import Entry, Stack
from tuner.store.writer import Writer

SCHEMA = {"trial": pl.Int32, "step": pl.Int32, "loss": pl.Float32}


@pytest.fixture(scope="session")
def row() -> Callable[..., TrialRow]:
    def make(trial: int, **changes) -> TrialRow:
        values = {
            "trial": trial,
            "sample": trial,
            "replicate": 0,
            "round": 1,
            "group": "g0",
            "parent": None,
            "start_step": 0,
            "resume": "fresh",
            "status": "running",
            "max_train_steps": 100,
            "step": 0,
            "combination": "activation=relu",
            "hyperparams": {"learning_rate": 0.1, "activation": "relu"},
            "schedule": {},
        }
        return TrialRow(**values | changes)

    return make


@pytest.fixture(scope="session")
def stack() -> Callable[..., Stack]:
    """States whose every number is 1000 x trial + step, so that they are told apart."""

    def make(what: str, steps: dict[int, int]) -> Stack:
        marks = np.array([1000 * trial + step for trial, step in steps.items()])
        return Stack(
            entries=tuple(
                Entry(trial=trial, what=what, step=step)
                for trial, step in steps.items()
            ),
            arrays={
                "params/w": np.tile(marks[:, None], (1, 3)).astype(np.float32),
                "step": marks.astype(np.int32),
            },
        )

    return make


@pytest.fixture(scope="session")
def frame() -> Callable[..., pl.DataFrame]:
    """Rows of some trials for the steps of a range."""

    def make(trials: list[int], steps: range) -> pl.DataFrame:
        rows = [(t, s, t + s / 100) for t in trials for s in steps]
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")

    return make


@pytest.fixture
def writer(tmp_path: Path):
    """A writer of a new run at `tmp_path`, its tables' columns fixed."""
    with Writer(tmp_path) as writer:
        writer.fix_schemas(train=SCHEMA, valid=SCHEMA)
        yield writer


@pytest.fixture(scope="session")
def flip() -> Callable[[Path, int], None]:
    """Flips one bit of a file."""

    def flip(path: Path, bit: int) -> None:
        data = bytearray(path.read_bytes())
        data[bit // 8 % len(data)] ^= 1 << bit % 8
        path.write_bytes(data)

    return flip
