import polars as pl
import pytest

from tuner.analysis.configurations import pairs, results, with_own_results

SCHEMA = {
    "trial": pl.Int32,
    "round": pl.Int32,
    "sample": pl.Int32,
    "status": pl.String,
    "best_objective": pl.Float64,
    "extend": pl.String,
    "control": pl.Boolean,
    "hp.x": pl.Float64,
}


def trials(*rows):
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


RUNS = trials(
    (0, 1, 0, "complete", 0.3, None, None, 0.1),
    (1, 1, 1, "complete", 0.2, None, None, None),  # a choice leaves it without x
    (2, 1, 2, "diverged", None, None, None, 0.3),
    (3, 1, 3, "stopped", 0.1, None, None, 0.4),
    (4, 2, 1, "complete", 0.15, "a", False, None),
    (5, 2, 0, "complete", 0.1, "a", True, 0.1),
    (6, 2, 0, "complete", 0.3, "a", True, 0.1),  # a replicate
    (7, 2, 0, "complete", 0.25, "b", True, 0.1),
)


def test_a_configuration_has_one_result_in_a_round():
    rows = results(RUNS).select("round", "sample", "result", "control").rows()
    assert rows == [
        (1, 0, 0.3, False),
        (1, 1, 0.2, False),
        (1, 2, float("inf"), False),  # broken is the worst there is
        (2, 1, 0.15, False),
        (2, 0, 0.2, True),  # rule a: the mean of 0.1 and 0.3; rule b: 0.25
    ]


def test_pairs_are_what_both_rounds_have():
    paired = pairs(results(RUNS), 1, 2)
    assert paired.select("trial", "short", "long", "control").rows() == [
        (0, 0.3, 0.2, True),
        (1, 0.2, 0.15, False),
    ]


def test_a_maximized_objective_is_turned_so_that_smaller_is_better():
    assert results(RUNS, maximize=True)["result"].to_list()[:3] == [
        *(-0.3, -0.2),
        float("inf"),
    ]


def test_columns_that_no_log_has_are_not_needed():
    few = RUNS.select("trial", "round", "status", "best_objective", "hp.x")
    assert results(few).height == results(RUNS).height


def test_what_a_child_shares_with_its_parent_is_not_its_own():
    known = pl.DataFrame({"trial": [0, 1], "start_step": [0, 10]})
    curves = pl.DataFrame(
        {
            "trial": [0, 0, 1, 1, 1],
            "step": [5, 10, 5, 10, 15],
            "error": [0.1, 0.2, 0.1, 0.2, 0.3],
        }
    )
    own = with_own_results(known, curves, "error")
    assert own["own_objective"].to_list() == pytest.approx([0.1, 0.3])
    known = own.with_columns(round="trial", status=pl.lit("complete"))
    assert results(known)["result"].to_list() == pytest.approx([0.1, 0.3])
