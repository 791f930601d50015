"""Interrupted = uninterrupted, whatever the interruption."""

import itertools
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import small
from displays import RaiseAfter, StopAfter
from equal_runs import assert_equal

import tuner
from tuner.rounds.cadence import Cadence

HERE = Path(__file__).parent
BEFORE = signal.getsignal(signal.SIGINT)  # ignored where a shell runs us beside it


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "whole"
    return tuner.run(small.study(), directory, layout="2x1x2")


@pytest.mark.slow
def test_killed_three_times_it_ends_as_if_never_interrupted(uninterrupted, tmp_path):
    directory = tmp_path / "killed"
    # In the first group, in the second, and in the second round; then not at all.
    for segments in (5, 9, 10):
        process = subprocess.run(
            [sys.executable, HERE / "resuming.py", directory, str(segments), "lane"],
            check=False,
        )
        assert process.returncode == -9
    assert_equal(tuner.run(small.study(), directory), uninterrupted)


def test_stopped_by_signals_it_goes_on_as_if_never_stopped(uninterrupted, tmp_path):
    for segments in (1, 9):
        display = StopAfter(segments)
        run = tuner.run(
            small.study(), tmp_path / "run", layout="2x1x2", display=display
        )
        assert run.status == "interrupted"
    again = tuner.run(small.study(), tmp_path / "run")
    assert_equal(again, uninterrupted)


def test_an_exception_while_running_loses_no_acknowledged_row(
    uninterrupted, tmp_path, monkeypatch
):
    turns = itertools.count()
    monkeypatch.setattr(Cadence, "due", lambda *_: next(turns) % 2 == 1)

    with pytest.raises(RuntimeError, match="from outside"):
        tuner.run(
            small.study(), tmp_path / "run", layout="2x1x2", display=RaiseAfter(7)
        )
    before = tuner.open_run(tmp_path / "run").metrics("train")
    again = tuner.run(small.study(), tmp_path / "run")
    assert before.height
    assert before.join(again.metrics("train"), on=before.columns, how="anti").is_empty()
    assert_equal(again, uninterrupted)


def test_signals_are_left_alone_outside_the_main_thread(uninterrupted, tmp_path):
    runs = []
    thread = threading.Thread(
        target=lambda: runs.append(
            tuner.run(small.study(), tmp_path / "run", layout="2x1x2")
        )
    )
    thread.start()
    thread.join()
    assert_equal(runs[0], uninterrupted)


def test_the_handlers_from_before_are_put_back(uninterrupted):
    assert signal.getsignal(signal.SIGINT) is BEFORE
