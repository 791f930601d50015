"""Lines about a run."""

import re

import polars as pl
import pytest

import tuner
from tuner.cli.texts import aligned, costs, result, standing, with_budget
from tuner.rounds.budget import Budget

FIGURES = {
    "trial_steps": 46_350,
    "examples": 2_966_400,
    "seconds": 36.7,
    "programs": 3,
    "compile_seconds": 12.3,
    "compilations": 15,
    "compilations_from_cache": 12,
    "calibration_compilations": 0,
    "calibration_seconds": 0.0,
    "train_seconds": 5.0,
    "trial_steps_per_second": 9_270.0,
    "examples_per_second": 593_280.0,
    "lanes_in_use": 0.3,
    "share_waiting": 0.0,
    "occupancy": 0.61,
    "flops": 156e9,
    "flops_per_trial_step": 3.36e6,
    "peak_flops": 2.4e12,
    "share_of_peak": 0.065,
    "bytes_to_devices": 6_950_064,
    "bytes_to_host": 37_178_592,
}


TRIALS = pl.DataFrame(
    {"start_step": [0] * 70 + [350, 700], "status": ["complete"] * 72}
)


def test_the_cost_of_a_run_is_four_lines():
    assert costs(FIGURES, TRIALS).splitlines() == [
        "done      72 trials, 46,350 steps and 1,050 shared, 2,966,400 examples, "
        "in 37 s",
        "compiled  3 programs in 12 s; 15 compilations, 12 of them from the cache",
        "trained   9,270 trial-steps/s, 593,280 examples/s, in 5.0 s; "
        "lanes occupied 30%, of those computed 61%",
        "computed  156 GFLOP, 3.36 MFLOP a trial-step; 6.5% of the measured peak of "
        "480 GFLOP/s; 6.95 MB to the devices, 37.2 MB back",
    ]


def test_a_run_that_has_committed_nothing_has_cost_nothing():
    assert costs({}, TRIALS).startswith(
        "done      72 trials, 0 steps and 1,050 shared, 0 examples, in 0.0 s"
    )


def test_what_was_compiled_to_calibrate_is_told_apart():
    calibrated = {"calibration_compilations": 8, "calibration_seconds": 2.5}
    assert (
        costs(FIGURES | calibrated, TRIALS)
        .splitlines()[1]
        .endswith("12 of them from the cache; 8 more to calibrate, in 2.5 s")
    )


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.62, "61%; input-bound, 62% of it waiting for batches"), (0.04, "61%")],
)
def test_much_waiting_for_batches_is_told(share, told):
    trained = costs(FIGURES | {"share_waiting": share}, TRIALS).splitlines()[2]
    assert trained.endswith(f"of those computed {told}")


def test_facts_stand_in_columns():
    assert aligned({"a": "1", "name": "2", "none": ""}) == "a     1\nname  2\nnone"


def test_a_result_says_where_it_was():
    trial = {"trial": 3, "round": 2, "best_step": 1500, "max_train_steps": 2000}
    study = {"objective": {"metric": "valid/error"}}
    assert result({**trial, "best_objective": 0.25}, study) == (
        "trial 3 of round 2, valid/error 0.25 at step 1,500 of 2,000"
    )


class Starting(tuner.Run):
    """A run in its first round, of which nobody has seen an evaluation."""

    status = "running"
    definition = {"study": {"name": "small", "goal": "Which?", "rounds": [{}, {}]}}  # noqa: RUF012
    ranked = pl.DataFrame()
    trials = pl.DataFrame(
        {
            "round": [1] * 5,
            "status": ["waiting", "running", "running", "diverged", "running"],
        }
    )


def test_a_run_without_a_result_has_a_standing(tmp_path):
    (tmp_path / "trials.sqlite").touch()
    text = standing(Starting(tmp_path))
    assert re.sub(r"commit \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "commit TIME", text) == (
        "small    Which?\n"
        "status   running, last commit TIME\n"
        "round 1  5 trials: 3 running, 1 waiting, 1 diverged\n"
        "round 2  not begun\n"
        "best"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("run a.py --budget 2h --seed 3", "run a.py --budget 4h --seed 3"),
        ("run --budget=2h a.py", "run --budget=4h a.py"),
    ],
)
def test_a_command_is_given_another_budget_in_its_place(given, expected):
    assert list(with_budget(given.split(), Budget(seconds=14_400))) == expected.split()


class Aiming(Starting):
    """The same with a target, which its best has reached or not."""

    maximize = False
    definition = {"study": {**Starting.definition["study"], "stop": [{"target": 0.1}]}}  # noqa: RUF012

    def __init__(self, directory, objective):
        super().__init__(directory)
        self.ranked = pl.DataFrame({"best_objective": [objective]})


@pytest.mark.parametrize(
    ("objective", "said"), [(0.2, "not reached yet"), (0.1, "reached")]
)
def test_a_standing_tells_of_a_target(tmp_path, monkeypatch, objective, said):
    (tmp_path / "trials.sqlite").touch()
    monkeypatch.setattr("tuner.cli.texts.result", lambda *_: "")
    assert f"\ntarget   0.1, {said}\n" in standing(Aiming(tmp_path, objective))
