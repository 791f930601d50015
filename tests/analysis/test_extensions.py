import numpy as np
import polars as pl
import pytest
from scipy import stats

from tuner.analysis.extensions import (
    broken_by_rule,
    compare_extensions,
    is_conjecture,
    mean_interval,
)

SCHEMA = {
    "parent": pl.Int32,
    "extend": pl.String,
    "best_objective": pl.Float64,
    "status": pl.String,
}
CONSTANT, STRETCH, DECAY = "LengthenConstant()", "Stretch()", "LengthenDecay()"


def children(results, status="complete"):
    """Results by rule, one for each parent in turn."""
    rows = [
        (parent, rule, result, status)
        for rule, values in results.items()
        for parent, result in enumerate(values)
    ]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return frame.with_columns(round=2).with_row_index("trial")


def test_d9_the_rule_that_is_better_on_the_same_parents_wins():
    # parents differ by 1, rules by 0.1: only pairs can tell
    parents = np.arange(6.0)
    noise = np.array([1, -1, 2, -2, 1, -1]) / 100
    trials = children({CONSTANT: parents, STRETCH: parents + 0.1 + noise})
    (row,) = compare_extensions(trials).to_dicts()
    assert (row["rule"], row["other"], row["num_parents"]) == (CONSTANT, STRETCH, 6)
    assert row["difference"] == pytest.approx(-0.1)
    assert row["low"] < -0.1 < row["high"] < 0
    assert row["verdict"] == CONSTANT


def test_d9_a_maximized_objective_is_won_by_the_larger():
    parents = np.arange(6.0)
    trials = children({CONSTANT: parents, STRETCH: parents + 0.1})
    (row,) = compare_extensions(trials, maximize=True).to_dicts()
    assert row["verdict"] == STRETCH


def test_d9_an_interval_that_spans_zero_cannot_tell():
    trials = children({CONSTANT: [0, 0, 0, 0], STRETCH: [1, -1, 1, -0.5]})
    (row,) = compare_extensions(trials).to_dicts()
    assert row["low"] < 0 < row["high"]
    assert row["verdict"] == "cannot tell"


def test_d9_two_parents_cannot_tell():
    (row,) = compare_extensions(
        children({CONSTANT: [0, 0], STRETCH: [1, 1]})
    ).to_dicts()
    assert (row["low"], row["high"], row["verdict"]) == (None, None, "cannot tell")


def test_d9_three_rules_are_three_comparisons_with_wider_intervals():
    rng = np.random.default_rng(0)
    results = {rule: rng.normal(size=8) for rule in (CONSTANT, STRETCH, DECAY)}
    rows = compare_extensions(children(results)).to_dicts()
    assert [(row["rule"], row["other"]) for row in rows] == [
        (CONSTANT, STRETCH),
        (CONSTANT, DECAY),
        (STRETCH, DECAY),
    ]
    test = stats.ttest_rel(results[CONSTANT], results[STRETCH])
    alone = test.confidence_interval(1 - 0.05 / 3)
    assert rows[0]["low"] == pytest.approx(alone.low)


def test_a_parent_whose_child_broke_under_one_rule_is_left_out_and_counted():
    sound = children({CONSTANT: [1.0, 2, 3, 4], STRETCH: [2.0, 3, 4]})
    broken = children({STRETCH: [None] * 4}, status="diverged").tail(1)
    trials = pl.concat([sound, broken], how="diagonal_relaxed")
    assert compare_extensions(trials)["num_parents"].to_list() == [3]
    assert broken_by_rule(trials).rows() == [(2, CONSTANT, 4, 0), (2, STRETCH, 4, 1)]


def test_replicates_count_by_their_mean():
    twice = {CONSTANT: [0.0, 0, 0], STRETCH: [1.0, 1, 1]}
    more = {CONSTANT: [0.0, 0, 0], STRETCH: [3.0, 3, 3]}
    trials = pl.concat([children(twice), children(more)])
    assert compare_extensions(trials)["difference"].to_list() == [-2]


def test_without_rules_there_is_nothing_to_compare():
    assert compare_extensions(pl.DataFrame({"trial": [1]})).is_empty()
    assert broken_by_rule(pl.DataFrame({"trial": [1]})).is_empty()


def test_equal_differences_have_an_interval_without_width():
    assert mean_interval(np.full(4, 0.25), 0.95) == (0.25, 0.25)


def test_d9_the_playbooks_rule_is_a_conjecture():
    assert is_conjecture("LengthenConstant(decay_steps=150)")
    assert not is_conjecture(STRETCH)
