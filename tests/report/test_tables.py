import re

import polars as pl
import pytest

from tuner.report.material import gather
from tuner.report.tables import best_trials, promoted_trials, verdict
from tuner.report.words import MINUS


def cells(markup):
    """A table as rows of text, its head first."""
    rows = re.findall(r"<tr>(.*?)</tr>", markup)
    return [
        [re.sub(r"<[^>]*>", "", c) for c in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in rows
    ]


@pytest.fixture
def material(trial, make_run):
    child = {"round": 2, "start_step": 75, "step": 300, "max_train_steps": 300}
    return gather(
        make_run(
            [
                trial(0, 0.3),
                trial(1, 0.2, activation="gelu", best_step=60),
                trial(2, 0.1, parent=0, best_step=200, **child),
                # its best is what it shares with its parent
                trial(3, 0.2, parent=1, activation="gelu", best_step=60, **child),
            ]
        )
    )


def test_the_best_trials_come_first_and_a_shared_result_once(material):
    head, *rows = cells(best_trials(material))
    assert head == [
        *["trial", "combination", "valid/error", "valid/loss"],
        *["best step", "round", "learning_rate"],
    ]
    assert rows == [
        ["2", "relu", "0.100", "1.100", "200 of 300", "2", "0.01"],
        ["1", "gelu", "0.200", "1.200", "60 of 100", "1", "0.01"],
        ["0", "relu", "0.300", "1.300", "80 of 100", "1", "0.01"],
    ]


def test_promoted_trials_stand_beside_their_parents(material):
    head, *rows = cells(promoted_trials(material))
    assert head[-3:] == ["parent's best", "child's best", "difference"]
    assert rows == [
        ["2", "0", "relu", "100 → 300", "75", "0.300", "0.100", f"{MINUS}0.200"],
        ["3", "1", "gelu", "100 → 300", "75", "0.200", "0.200", "0"],
    ]


def test_a_single_combination_needs_no_column(trial, make_run):
    head, _ = cells(best_trials(gather(make_run([trial(0)]))))
    assert "combination" not in head


@pytest.mark.parametrize(
    ("differences", "better", "worse"),
    [
        ([-0.1, 0.0, 0.2, 0.1], "4 promoted trials 1 did", "1 as well and 2 worse"),
        ([0.0], "1 promoted trial none did", "1 as well and none worse"),
    ],
)
def test_the_verdict_counts_the_better_and_the_worse(differences, better, worse):
    assert verdict(compared(differences)) == (
        f"Of {better} better than the parent, {worse}."
    )


def test_without_evaluations_there_is_no_verdict():
    text = "No promoted trial has been evaluated yet."
    assert verdict(compared([None])) == text


def compared(differences):
    promoted = pl.DataFrame({"difference": differences}, {"difference": pl.Float64})
    return promoted.with_columns(worse=pl.col("difference") > 0)
