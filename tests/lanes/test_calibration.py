"""Which layouts are measured, within which bound, and what is made of the figures."""

import pytest
import small

from tuner.lanes import calibration
from tuner.lanes.calibration import Measured, fastest, others
from tuner.lanes.layout import Layout
from tuner.lanes.program import Program
from tuner.rounds.groups import make_group, make_job
from tuner.rounds.trials import planned

CANDIDATES = [
    # layout, trials: other widths, the likely ones first
    ("2x8x4", 64, ["2x32x1", "2x4x8", "2x16x2", "2x2x16"]),
    ("2x1x4", 6, ["2x3x1", "2x2x2"]),  # no wider than there are trials
    ("2x2x1", 4, ["2x1x2"]),
]


@pytest.mark.parametrize(("layout", "trials", "expected"), CANDIDATES)
def test_other_widths_have_as_many_lanes(layout, trials, expected):
    assert [str(o) for o in others(Layout.parse(layout), trials)] == expected


@pytest.fixture(scope="module")
def program_and_jobs():
    study = small.study(space=small.space(activation="relu"))
    trials = list(planned(study, 1))
    program = Program(make_group(study, trials[0]), Layout(2, 2, 4))
    program.compile()
    jobs = [make_job(study, t, start_step=0, trained=None) for t in trials]
    return program, jobs


def test_a_study_of_seconds_is_not_measured(program_and_jobs):
    """A twentieth of its time is less than one more compilation takes."""
    program, jobs = program_and_jobs
    chosen, measured = fastest(program, jobs * 40)
    assert chosen is program
    assert [m.layout for m in measured] == [program.layout]
    assert measured[0].ticks_per_second > 0


def test_what_was_known_to_be_too_short_is_not_glanced_at_again(
    program_and_jobs, monkeypatch
):
    program, jobs = program_and_jobs
    monkeypatch.setattr(Program, "advance", None)  # would raise if it were called
    assert fastest(program, jobs * 40, known=1e6) == (program, [])


def test_what_is_known_to_take_long_is_measured(program_and_jobs, monkeypatch):
    program, jobs = program_and_jobs
    monkeypatch.setattr(
        calibration, "_measure", lambda program, jobs: Measured(program.layout, 1.0)
    )
    _, measured = fastest(program, jobs * 40, lambda layout: False, known=1e-3)
    assert [m.layout for m in measured] == [program.layout]


def test_a_study_of_a_few_calls_is_not_even_glanced_at(program_and_jobs, monkeypatch):
    """Two calls of one chunk would be more than a twentieth of it."""
    program, jobs = program_and_jobs
    monkeypatch.setattr(Program, "advance", None)  # would raise if it were called
    assert fastest(program, jobs) == (program, [])


SPEEDS = [
    # of widths 4, 1, 8, 2: the width that is taken
    ({4: 100.0, 1: 90.0, 8: 104.0, 2: 80.0}, 4),  # too little gain for more padding
    ({4: 100.0, 1: 120.0, 8: 104.0, 2: 130.0}, 2),
    ({4: 100.0, 1: 120.0, 8: 104.0, 2: 124.0}, 1),
]


@pytest.mark.parametrize(("speeds", "width"), SPEEDS)
def test_the_fastest_width_is_taken(program_and_jobs, monkeypatch, speeds, width):
    program, jobs = program_and_jobs
    monkeypatch.setattr(
        calibration,
        "_measure",
        lambda program, jobs: Measured(program.layout, speeds[program.layout.width]),
    )
    monkeypatch.setattr(calibration, "SHARE", 1e6)
    monkeypatch.setattr(calibration, "MOST_SECONDS", 1e6)
    compiled = []
    monkeypatch.setattr(
        Program, "compile", lambda self, only=None: compiled.append((self, only))
    )
    chosen, measured = fastest(program, jobs)
    assert [m.layout.width for m in measured] == [4, 1, 8, 2]
    assert chosen.layout.width == width
    assert compiled[-1] == (chosen, None)  # whole, where only one function was


def test_what_does_not_fit_is_not_measured(program_and_jobs, monkeypatch):
    program, jobs = program_and_jobs
    monkeypatch.setattr(calibration, "SHARE", 1e6)
    monkeypatch.setattr(calibration, "MOST_SECONDS", 1e6)
    chosen, measured = fastest(program, jobs, lambda layout: layout.width == 2)
    assert [m.layout.width for m in measured] == [4, 2]
    assert chosen.layout.width in (2, 4)
