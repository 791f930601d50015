import polars as pl
import pytest

from tuner.analysis.ranking import best_first, rank, with_ties

NAN, INF = float("nan"), float("inf")
FIELDS = {
    "trial": pl.Int32,
    "status": pl.String,
    "best_objective": pl.Float64,
    "tie": pl.Float64,
}
STANDINGS = [
    # status     objective  tie    place
    ("complete", 0.3,       1.0,   3),
    ("complete", 0.1,       2.0,   1),
    ("complete", 0.1,       1.0,   0),  # the loss breaks the tie
    ("running",  0.2,       1.0,   2),  # as it stands
    ("complete", 0.3,       1.0,   4),  # of equals the earlier trial is first
    ("complete", 0.3,       None,  5),
    ("diverged", 0.0,       0.0,   None),
    ("failed",   0.0,       0.0,   None),
    ("complete", NAN,       0.0,   None),
    ("complete", INF,       0.0,   None),
    ("waiting",  None,      None,  None),
]  # fmt: skip


def frame(rows):
    numbered = [(trial, *row[:3]) for trial, row in enumerate(rows)]
    return pl.DataFrame(numbered, schema=FIELDS, orient="row")


def places(rows):
    """The trials that have a place, in its order."""
    placed = {row[3]: trial for trial, row in enumerate(rows) if row[3] is not None}
    return [placed[place] for place in sorted(placed)]


def test_trials_come_best_first():
    assert best_first(frame(STANDINGS))["trial"].to_list() == places(STANDINGS)


def test_only_the_complete_may_go_on():
    ranked = [trial for trial in places(STANDINGS) if STANDINGS[trial][0] == "complete"]
    assert rank(frame(STANDINGS))["trial"].to_list() == ranked


def test_a_large_objective_is_first_when_maximized_but_a_small_loss():
    rows = [("complete", 1.0, 2.0), ("complete", 3.0, 2.0), ("complete", 3.0, 1.0)]
    assert best_first(frame(rows), maximize=True)["trial"].to_list() == [2, 1, 0]


@pytest.mark.parametrize(
    ("objective", "expected"),
    [("valid/error", 0.7), ("valid/loss", 0.7), ("train/error", None)],
)
def test_a_tie_is_broken_by_the_loss_of_the_objectives_set(objective, expected):
    trials = pl.DataFrame({"trial": [0], "best_step": [20]})
    evaluations = pl.DataFrame(
        {"trial": [0, 0], "step": [10, 20], "valid/loss": [0.9, 0.7]}
    )
    assert with_ties(trials, evaluations, objective)["tie"].item() == expected


def test_a_trial_without_evaluations_has_no_tie():
    schema = {"trial": pl.Int32, "best_step": pl.Int32}
    trials = pl.DataFrame({"trial": [0], "best_step": [None]}, schema)
    evaluations = pl.DataFrame({"trial": [1], "step": [10], "valid/loss": [0.5]})
    evaluations = evaluations.cast({"trial": pl.Int32, "step": pl.Int32})
    assert with_ties(trials, evaluations, "valid/error")["tie"].item() is None


def test_without_losses_the_earlier_trial_is_the_better_of_equals():
    frame = pl.DataFrame(
        {"trial": [2, 1], "status": ["complete"] * 2, "best_objective": [0.1, 0.1]}
    )
    assert rank(frame)["trial"].to_list() == [1, 2]
