"""Steps to fit by rate, from curves that are known."""

import math

import numpy as np
import polars as pl
import pytest

from tuner.analysis.fitting import (
    better_end,
    closest,
    fastest,
    finest,
    first_fits,
    next_grid,
    steps_by_rate,
)

NAN = math.nan


def curves(*errors, every=10):
    """One trial a list of errors, evaluated every so many steps."""
    rows = [
        {"trial": trial, "step": every * i, "train/error": error}
        for trial, values in enumerate(errors)
        for i, error in enumerate(values, start=1)
    ]
    schema = {"trial": pl.Int32, "step": pl.Int32, "train/error": pl.Float32}
    return pl.DataFrame(rows, schema=schema)


# The first perfect step


def test_the_first_perfect_evaluation_counts_though_the_error_rises_again():
    fits = first_fits(curves([0.5, 0.0, 0.1], [0.2, 0.1, 0.0]), "train/error", 0.0)
    assert fits.rows() == [(0, 20), (1, 30)]


def test_almost_perfect_and_no_number_are_no_fit():
    assert first_fits(curves([0.5, 1e-6], [NAN, NAN]), "train/error", 0.0).is_empty()


def test_an_accuracy_is_perfect_from_below():
    accuracies = curves([0.5, 0.9999999], [0.5, 0.99])
    fits = first_fits(accuracies, "train/error", 1 - 1e-6, maximize=True)
    assert fits.rows() == [(0, 20)]


# D6: the curve of steps against rate, and what may be concluded


def simulated(low, high, rates=13, *, horizon=3000, diverges_at=math.inf):
    """Trials of constant rates whose error falls as exp(-rate x step).

    Of 1,000 examples the last is right once the error is below 1/1000, so a rate needs
    ln(1000)/rate steps. Above 0.03 the noise of the rate keeps some always wrong.
    """
    steps, values = np.arange(10, horizon + 1, 10), np.geomspace(low, high, rates)
    trials, lists = [], []
    for trial, rate in enumerate(values.tolist()):
        errors = np.floor(1000 * np.exp(-rate * steps)) / 1000
        broken = rate >= diverges_at
        lists.append(errors + (0.01 if rate > 0.03 else 0.0))
        status = "diverged" if broken else "complete"
        if broken:
            lists[-1] = np.full_like(errors, 0.9)
        trials.append((trial, status, horizon, rate))
    frame = pl.DataFrame(
        trials, ["trial", "status", "max_train_steps", "hp.rate"], orient="row"
    ).cast({"trial": pl.Int32})
    of_trials = curves(*(errors.tolist() for errors in lists))
    return steps_by_rate(frame, of_trials, "train/error", 0.0, rate="hp.rate", every=10)


def test_d6_the_answer_is_the_fastest_rate_in_the_middle_of_the_grid():
    best = fastest(simulated(1e-3, 1.0))
    assert best.edge == ""
    # ln(1000) / 0.0178 = 388.4, at the next evaluation
    assert (best.learning_rate, best.steps) == (pytest.approx(10**-1.75), 390)


def test_d6_a_grid_of_rates_that_are_all_too_small_is_refused():
    best = fastest(simulated(1e-3, 1e-2, 5))
    assert (best.edge, best.learning_rate, best.steps) == ("high", 0.01, 700)


def test_d6_extending_the_grid_lowers_the_answer():
    answers, (low, high) = [], (1e-3, 4e-3)
    while not answers or answers[-1].edge:
        answers.append(fastest(simulated(low, high, 7)))
        low, high = next_grid(low, high, answers[-1].learning_rate)
    steps = [best.steps for best in answers]
    assert len(steps) > 2
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] < steps[0] / 5


def test_d6_the_lowest_rate_is_an_edge_too():
    assert fastest(simulated(0.029, 2.9)).edge == "low"


def test_d6_a_rate_below_those_that_diverge_is_no_edge():
    best = fastest(simulated(1e-3, 0.1, 9, diverges_at=0.01))
    assert (best.edge, best.learning_rate) == ("", pytest.approx(10**-2.25))


def test_d6_an_edge_that_ties_is_an_edge():
    table = pl.DataFrame(
        {
            "learning_rate": [0.1, 0.2, 0.3],
            "outcome": "fitted",
            "steps": [30, 20, 20],
            "every": 10,
        }
    )
    assert fastest(table).edge == "high"


def test_d6_of_rates_that_tie_the_middle_one_is_the_fastest():
    table = pl.DataFrame(
        {
            "learning_rate": [0.1, 0.2, 0.3, 0.4, 0.5],
            "outcome": "fitted",
            "steps": [30, 20, 20, 20, 40],
            "every": 10,
        }
    )
    assert (fastest(table).learning_rate, fastest(table).edge) == (0.3, "")


def test_no_rate_that_fits_is_no_fastest():
    assert fastest(simulated(0.1, 1.0)) is None


def test_every_rate_says_what_became_of_it():
    table = simulated(1e-3, 1.0, 4, diverges_at=1.0)
    # ln(1000) / 0.001 = 6,908 steps are more than it was given.
    assert table["outcome"].to_list() == [
        "not fitted",
        "fitted",
        "not fitted",
        "diverged",
    ]
    assert table["steps"].to_list() == [None, 700, None, None]


def test_a_trial_that_fitted_before_it_diverged_has_fitted():
    trials = pl.DataFrame(
        {
            "trial": pl.Series([0], dtype=pl.Int32),
            "status": ["diverged"],
            "max_train_steps": [30],
            "hp.rate": [0.1],
        }
    )
    table = steps_by_rate(
        trials, curves([0.5, 0.0]), "train/error", 0.0, rate="hp.rate", every=10
    )
    assert table.row(0, named=True)["outcome"] == "fitted"


def test_the_next_grid_is_as_wide_around_the_edge():
    assert next_grid(1e-4, 1e-2, 1e-4) == (1e-5, 1e-3)


# Several tables


def test_a_rate_counts_where_it_fitted_and_was_evaluated_most_often():
    # rate, outcome, steps, best, within, every
    coarse = [(0.1, "fitted", 50, 0.0, 500, 10), (0.2, "fitted", 90, 0.0, 500, 10)]
    fine = [(0.1, "fitted", 42, 0.0, 60, 1), (0.2, "not fitted", None, 0.1, 60, 1)]
    names = ["learning_rate", "outcome", "steps", "best", "within", "every"]
    tables = [pl.DataFrame(rows, names, orient="row") for rows in (coarse, fine)]
    assert finest(tables).rows() == [fine[0], coarse[1]]


# A search in vain

BROKEN = "diverged"
ENDS = [
    # errors of 12 trials, from the lowest rate to the highest; None is broken
    ([0.9, 0.9, 0.8, 0.8, 0.7, 0.7, 0.6, 0.6, 0.5, 0.4, 0.3, 0.2], "high"),
    ([0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.7, 0.7, 0.8, 0.8, 0.9, 0.9], "low"),
    ([0.9, 0.9, 0.8, 0.8, 0.7, 0.7, 0.6, 0.1, 0.5, 0.4, 0.3, 0.2], ""),
    ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.3, 0.4, 0.5, 0.6], ""),
    ([0.9] * 3 + [0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1] + [None] * 4, ""),
    ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], ""),  # too few
    ([None] * 12, ""),
]


@pytest.mark.parametrize(("errors", "end"), ENDS)
def test_a_search_in_vain_may_have_got_better_towards_an_end(errors, end):
    trials = pl.DataFrame(
        {
            "hp.rate": np.geomspace(1e-4, 1e-2, len(errors)),
            "status": [BROKEN if error is None else "complete" for error in errors],
            "best_objective": pl.Series(errors, dtype=pl.Float64),
        }
    )
    assert better_end(trials, "hp.rate") == end


def test_by_chance_alone_they_seldom_do():
    rng = np.random.default_rng(0)
    trials = pl.DataFrame({"hp.rate": np.arange(1.0, 17.0), "status": "complete"})
    ends = [
        better_end(trials.with_columns(best_objective=rng.random(16)), "hp.rate")
        for _ in range(400)
    ]
    assert sum(map(bool, ends)) <= 4  # 1 %


# How close the search came


def test_the_closest_is_told_with_where_it_was_at_half_its_steps():
    found = closest(curves([0.9, 0.8, 0.7, 0.6], [0.5, 0.4, 0.3, 0.2]), "train/error")
    assert found == pytest.approx((0.2, 0.4))


def test_where_nothing_was_a_number_there_is_no_closest():
    assert closest(curves([NAN, NAN]), "train/error") is None
