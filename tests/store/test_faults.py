"""A writer killed at any point of a run, and what is found on the disk thereafter.

A point lies before every snapshot, flush, move and removal of a file, and before every
transaction of the ledger; after one is before the next. What is tested is the order of
things, not the disk: a flush does nothing here.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from contents import bring, contents, strangers

from tuner.store import database, durable, reader, snapshots
from tuner.store.ledger import Share
from tuner.store.writer import Commit, Writer

pytestmark = pytest.mark.slow

SCHEMA = {"trial": pl.Int32, "step": pl.Int32, "loss": pl.Float32}


class PowerCut(BaseException):
    """Nobody catches it, nobody tidies up."""


class Points:
    """Counts the points of a run, and cuts the power at one of them."""

    def __init__(self) -> None:
        self.passed = self.acknowledged = 0
        self.cut_at: int | None = None

    def before(self, function: Callable) -> Callable:
        def wrapped(*args, **options):
            if self.passed == self.cut_at:
                raise PowerCut
            self.passed += 1
            result = function(*args, **options)
            self.acknowledged += function is RECORD
            return result

        return wrapped


RECORD = database.record_commit


@dataclass(frozen=True)
class Cut:
    """What was found after a power cut at `point`."""

    point: int
    acknowledged: int
    found: dict[str, Any]
    rows_of_a_glob: list[tuple]
    strangers: set[str]
    end: dict[str, Any]


@pytest.fixture(scope="module")
def story(row, stack, frame) -> list[Commit]:
    return [
        Commit(
            train=frame([1, 2], range(1, 4)),
            valid=frame([1, 2], range(3, 4)),
            trials=[row(1, step=3), row(2, step=3)],
            running=[stack("running", {1: 3, 2: 3})],
        ),
        Commit(
            train=frame([1, 2], range(4, 7)),
            trials=[row(1, step=6, status="complete"), row(2, step=6)],
            kept=[stack("best", {1: 4}), stack("last", {1: 6})],
            running=[stack("running", {2: 6})],
            figures={"seconds": 2.0},
        ),
        Commit(
            train=frame([2], range(7, 10)),
            valid=frame([2], range(9, 10)),
            trials=[row(2, step=9, status="complete")],
            kept=[stack("best", {2: 8}), stack("best", {1: 5})],
            shares=[
                Share(trial=1, what="branch_best", of_trial=1, of_what="best", step=4)
            ],
        ),
    ]


@pytest.fixture(scope="module", autouse=True)
def no_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "flush", lambda path: None)
        yield


@pytest.fixture(scope="module")
def points(no_disk):
    points = Points()
    with pytest.MonkeyPatch.context() as patch:
        for module, name in [
            (snapshots, "save"),
            (durable, "flush"),
            (Path, "replace"),
            (Path, "unlink"),
            (shutil, "rmtree"),
            (database, "add_files"),
            (database, "record_commit"),
        ]:
            patch.setattr(module, name, points.before(getattr(module, name)))
        yield points


@pytest.fixture(scope="module")
def history(story, tmp_path_factory) -> list[dict[str, Any]]:
    """What an uninterrupted run leaves after each commit."""
    directory = tmp_path_factory.mktemp("uninterrupted")
    states = [contents(directory)]
    for number in range(len(story)):
        _go_on(directory, story[: number + 1])
        states.append(contents(directory))
    return states


@pytest.fixture(scope="module")
def cuts(story, points, tmp_path_factory) -> list[Cut]:
    """The power cut at every point of a run; each time the run is then finished."""
    cuts = []
    while True:
        directory = tmp_path_factory.mktemp("cut")
        points.passed, points.acknowledged, points.cut_at = 0, 0, len(cuts)
        try:
            _go_on(directory, story)
        except PowerCut:
            points.cut_at = None
            cuts.append(_aftermath(directory, story, points, len(cuts)))
        else:
            points.cut_at = None
            return cuts


def test_there_are_many_points(cuts):
    assert len(cuts) > 50


def test_what_was_acknowledged_is_there_and_nothing_else(cuts, history):
    for cut in cuts:
        assert cut.found == history[cut.acknowledged], cut


def test_no_stranger_with_a_glob_sees_a_row_twice(cuts):
    for cut in cuts:
        assert len(cut.rows_of_a_glob) == len(set(cut.rows_of_a_glob)), cut


def test_nothing_unnamed_is_left_once_reopened(cuts):
    for cut in cuts:
        assert cut.strangers == set(), cut


def test_an_interrupted_run_ends_as_an_uninterrupted_one(cuts, history):
    for cut in cuts:
        assert cut.end == history[-1], cut


def _go_on(directory: Path, story: list[Commit]) -> None:
    with Writer(directory) as writer:
        writer.write_definition({"name": "digits"})
        writer.fix_schemas(train=SCHEMA, valid=SCHEMA)
        for commit in story[reader.read_ledger(directory).number :]:
            bring(writer, commit)


def _aftermath(directory: Path, story: list[Commit], points: Points, point: int) -> Cut:
    acknowledged = points.acknowledged
    found = contents(directory)
    rows = _rows_of_a_glob(directory)
    Writer(directory).close()
    unnamed = strangers(directory)
    _go_on(directory, story)
    return Cut(point, acknowledged, found, rows, unnamed, contents(directory))


def _rows_of_a_glob(directory: Path) -> list[tuple]:
    parts = sorted(directory.glob("metrics/train/*.parquet"))
    if not parts:
        return []
    return pl.read_parquet(parts).select("trial", "step").rows()
