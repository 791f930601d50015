"""Lines about a run."""

import re

import polars as pl
import pytest

import tuner
from tuner.cli.texts import aligned, costs, result, standing, with_budget
from tuner.rounds.budget import Budget


def test_the_cost_of_a_run_is_one_line():
    figures = {"trial_steps": 46_350, "seconds": 36.7, "programs": 3, "compilations": 1}
    assert costs(figures, 72) == (
        "72 trials, 46,350 steps, 37 s, 1,263 trial-steps/s, 3 programs, 1 compilation"
    )


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
