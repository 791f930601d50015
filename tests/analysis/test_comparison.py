import polars as pl

from tuner.analysis.comparison import compare_combinations

FIELDS = {
    "trial": pl.Int32,
    "status": pl.String,
    "combination": pl.String,
    "best_objective": pl.Float64,
    "tie": pl.Float64,
}


def compared(*rows, **options):
    frame = pl.DataFrame(list(rows), schema=FIELDS, orient="row")
    return compare_combinations(frame, **options)


def test_each_combination_is_judged_by_its_best_trial():
    table = compared(
        (0, "complete", "relu", 0.5, 1.0),
        (1, "complete", "gelu", 0.3, 1.0),
        (2, "complete", "relu", 0.25, 1.0),
        (3, "complete", "gelu", 0.5, 1.0),
    )
    assert table.drop("tie").rows() == [
        # combination, num_trials, trial, best_objective, behind, tied
        ("relu", 2, 2, 0.25, 0.0, True),
        ("gelu", 2, 1, 0.3, 0.3 - 0.25, False),
    ]


def test_a_maximized_objective_is_won_by_the_largest():
    rows = [(0, "complete", "a", 0.5, None), (1, "complete", "b", 0.75, None)]
    table = compared(*rows, maximize=True)
    assert table.select("combination", "behind").rows() == [("b", 0.0), ("a", 0.25)]


def test_a_tie_is_a_tie_though_the_loss_orders_it():
    rows = [(0, "complete", "a", 0.0, 2.0), (1, "complete", "b", 0.0, 1.0)]
    table = compared(*rows)
    assert table.select("combination", "tied").rows() == [("b", True), ("a", True)]


def test_numbers_that_float32_cannot_tell_apart_are_tied():
    rows = [(0, "complete", "a", 0.3, None), (1, "complete", "b", 0.3 + 1e-8, None)]
    assert compared(*rows)["tied"].to_list() == [True, True]


def test_a_broken_trial_wins_nothing():
    rows = [(0, "diverged", "a", 0.1, None), (1, "complete", "b", 0.9, None)]
    table = compared(*rows)
    assert table.select("combination", "num_trials", "trial").rows() == [
        ("b", 1, 1),
        ("a", 1, None),
    ]


def test_a_trial_under_way_counts_as_it_stands():
    rows = [(0, "running", "a", 0.1, None), (1, "complete", "b", 0.9, None)]
    assert compared(*rows)["combination"].first() == "a"


def test_without_any_result_nothing_is_behind():
    table = compared((0, "waiting", "a", None, None))
    assert table.select("trial", "behind", "tied").row(0) == (None, None, None)
