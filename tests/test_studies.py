"""Every study in `studies/` runs, and says what it asks, takes and found."""

import importlib
import re
from pathlib import Path

import pytest

import tuner

STUDIES = sorted(Path(__file__).parents[1].glob("studies/*.py"))
LINES = ("Question", "Command", "Time", "Result")


@pytest.fixture(params=STUDIES, ids=lambda path: path.stem)
def study(request, monkeypatch):
    """The study's module, imported as the command does: its folder on the path."""
    monkeypatch.syspath_prepend(request.param.parent)
    return importlib.import_module(request.param.stem)


def test_there_are_studies():
    assert len(STUDIES) >= 3


@pytest.mark.slow
def test_a_study_runs_in_small(study, tmp_path):
    run = tuner.run(study.smoke(), tmp_path / "run")
    assert run.status == "complete"
    assert set(run.trials["status"]) == {"complete"}
    assert set(run.trials["round"]) == {1, 2}


def test_a_study_is_named_as_its_file(study):
    assert study.study.name == study.__name__


@pytest.mark.parametrize("line", LINES)
def test_a_study_says(study, line):
    assert re.search(rf"^{line}: \S", study.__doc__, re.MULTILINE)


def test_the_command_runs_the_study(study):
    assert f"\nCommand: tuner run studies/{study.__name__}.py\n" in study.__doc__
