"""Two processes started at once on one directory, and readers all the while."""

import contextlib
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import small
from equal_runs import assert_equal

import tuner
from tuner.rounds import runner
from tuner.store.writer import Writer

HERE = Path(__file__).parent


@pytest.mark.slow
def test_of_two_at_once_one_runs_and_one_is_refused_and_readers_are_free(tmp_path):
    whole = tuner.run(small.study(), tmp_path / "whole", layout="2x1x2")
    directory = tmp_path / "run"
    command = [sys.executable, HERE / "contending.py", directory, tmp_path / "refused"]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    seen = []
    while not all(_has_ended(process) for process in both):
        try:
            run = tuner.open_run(directory)
        except FileNotFoundError:
            continue  # neither has begun
        seen.append((run.status, run.trials.height))
        if len(seen) % 40 == 1:
            for question in ("status", "trials"):
                _ask(question, directory)
    said = [process.communicate()[0] for process in both]

    ran, refused = sorted(both, key=lambda process: process.returncode)
    assert (ran.returncode, refused.returncode) == (0, 2)
    assert said[both.index(ran)] == ""
    assert said[both.index(refused)].startswith(
        f"a run must have one writer, but `{directory}` is being written by process "
        f"{ran.pid} on {platform.node()} since 20"
    )
    assert len(seen) > 20
    assert [height for _, height in seen] == sorted(height for _, height in seen)
    assert {status for status, _ in seen} >= {"running"}
    assert_equal(tuner.open_run(directory), whole)


def test_what_another_process_has_run_meanwhile_is_not_gone_on_with(
    tmp_path, monkeypatch
):
    """It was planned from a definition that is no longer the one."""
    check_layouts = runner._check_layouts

    def check_and_be_overtaken(plan, layouts):
        check_layouts(plan, layouts)
        with Writer(tmp_path) as other:
            other.write_definition({"name": "of the other"})

    monkeypatch.setattr(runner, "_check_layouts", check_and_be_overtaken)
    with pytest.raises(OSError, match="another process has begun or run it meanwhile"):
        tuner.run(small.study(), tmp_path, layout="2x1x2")
    assert tuner.open_run(tmp_path).definition["name"] == "of the other"


def _has_ended(process):
    """Asks for a moment, so that others get on."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=0.01)
    return process.returncode is not None


def _ask(question, directory):
    command = [sys.executable, "-m", "tuner", question, directory]
    subprocess.run(command, check=True, capture_output=True)
