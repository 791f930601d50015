"""`tuner steps`, and what it prints of a verdict."""

import io
import re
from pathlib import Path

import fittable
import polars as pl
import pytest
from rich.console import Console

import tuner
from tuner.cli.steps import print_steps, with_options
from tuner.rounds.fit import StepsToFit

RATES = pl.DataFrame(
    [
        (0.001, "not fitted", None, 0.02, 100, 2),
        (0.01, "fitted", 50, 0.0, 100, 2),
        (0.1, "diverged", None, 0.9, 100, 2),
    ],
    ["learning_rate", "outcome", "steps", "best", "within", "every"],
    orient="row",
)
ANSWER = {
    "verdict": "answer",
    "metric": "train/error",
    "perfect": 0.0,
    "grid": (0.001, 0.1, 3),
    "searched_trials": 16,
    "searched_steps": 100,
    "closest": (0.0, 0.1),
    "rates": RATES,
    "configuration": {"learning_rate": 0.02, "width": 64, "warmup_steps": 3},
    "rate": "learning_rate",
    "steps": 50,
    "learning_rate": 0.01,
    "every": 2,
    "off": {"weight_decay": 0.0},
}
REFUSED = ANSWER | {"verdict": "refused", "edge": "high", "next_grid": (0.01, 1.0)}
NOT_FITTED = ANSWER | {
    "verdict": "not fitted",
    "configuration": {},
    "rates": RATES.clear(),
    "steps": None,
    "learning_rate": None,
    "every": None,
    "closest": (0.3, 0.31),
    "searched_steps": 8000,
}
COMMAND = ["steps", "study.py", "--high", "0.1"]


def printed(fields, study=None):
    out = io.StringIO()
    console = Console(file=out, width=100, color_system=None, markup=False)
    found = StepsToFit(**fields)
    print_steps(found, study or fittable.study(), Path("runs/it"), COMMAND, console)
    return out.getvalue()


def test_an_answer_comes_with_its_curve_and_the_round_to_write():
    text = printed(ANSWER)
    assert text.startswith("fittable: the training set is fitted perfectly (train/e")
    assert "in 50 steps, at the constant rate 0.01; it was evaluated every 2" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["0.001", "more", "than", "100", "0.02"] in rows
    assert ["0.01", "50", "█" * 12, "0"] in rows
    assert ["0.1", "diverged", "0.9"] in rows
    assert (
        "\nsearch         the first to fit did in 100 steps, at learning_rate 0.02"
        in text
    )
    assert "\nconfiguration  width=64\n" in text
    assert "\nswitched off   weight_decay=0\n" in text
    assert "  rounds=[tuner.Round(trials=8, max_train_steps=50)], eval_every=2," in text


def test_a_refusal_comes_with_the_command_for_the_next_grid():
    text = printed(REFUSED)
    assert "0.01 in 50 steps, is at the high end of the grid from 0.001 to 0.1" in text
    assert text.endswith("  tuner steps study.py --low 0.01 --high 1\n")


def test_where_nothing_fits_the_next_command_runs_the_rounds():
    text = printed(NOT_FITTED)
    assert "none of 16 trials reached train/error 0 within 8,000 steps" in text
    assert "the best came to 0.3, and to 0.31 in half its steps" in text
    assert text.endswith("\n  tuner run study.py\n")


def test_where_there_is_one_round_alone_the_next_line_has_two():
    rounds = [tuner.Round(trials=32, max_train_steps=100)]
    text = printed(NOT_FITTED, fittable.study(rounds=rounds))
    assert "rounds=[tuner.Round(trials=32, max_train_steps=100)," in text
    assert "tuner.Round(keep=4, max_train_steps=400, extend=" in text


def test_where_the_error_was_still_falling_there_is_a_longer_search():
    text = printed(NOT_FITTED | {"closest": (0.1, 0.3)})
    assert text.endswith("  tuner steps study.py --high 0.1 --max-steps 32000\n")


def test_where_all_diverged_nothing_came_close():
    assert "; all of them diverged." in printed(NOT_FITTED | {"closest": None})


def test_a_name_that_may_regularize_is_told():
    text = printed(ANSWER | {"unknown": ("dropout",)})
    assert (
        "not known      may regularize, for no kind= says, and was searched: dropout"
        in text
    )


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        (["steps", "s.py"], ["steps", "s.py", "--low", "1"]),
        (["--low", "3", "s.py"], ["s.py", "--low", "1"]),
        (["s.py", "--low=3"], ["s.py", "--low", "1"]),
    ],
)
def test_an_option_is_replaced_wherever_it_stands(arguments, changed):
    assert list(with_options(arguments, {"--low": "1"})) == changed


# The command


def test_the_command_finds_that_a_set_cannot_be_fitted(command, tmp_path):
    file = tmp_path / "it.py"
    file.write_text("import fittable\n\nstudy = fittable.contradicting()\n")
    options = ["--dir", tmp_path / "run", "--layout", fittable.LAYOUT]
    options += ["--trials", "4", "--first-steps", "25", "--max-steps", "100"]
    done = command("steps", file, *options)
    assert (done.code, done.out.partition(":")[0]) == (0, "contradicting")
    assert "the training set cannot be fitted" in done.out
    assert re.search(rf"^kept +{tmp_path}/run/steps/verdict.json$", done.out, re.M)


def test_the_command_refuses_a_grid_that_cannot_be(command, folder):
    refused = command("steps", folder / "little.py", "--low", "1", "--high", "0.1")
    assert refused.code == 2
    assert "`0 < low < high` must hold of a grid of rates" in refused.err
