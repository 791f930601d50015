import json
import re

import polars as pl
import pytest

from tuner.analysis import as_trials, compare_with_parents, rank, transfers

LOG = pl.DataFrame(
    {
        "trial": [10, 11, 12, 13],
        "max_train_steps": [100, 100, 400, 400],
        "hp.rate": [0.1, 0.2, 0.2, 0.2],
        "hp.act": ["relu", "tanh", "tanh", "tanh"],
    }
)
CURVES = pl.DataFrame(
    {
        "trial": [10, 10, 11, 11, 12, 13],
        "step": [50, 100, 50, 100, 400, 400],
        "error": [0.5, 0.4, 0.2, 0.3, 0.1, float("nan")],
    }
)


def test_what_a_log_does_not_say_is_filled_in():
    trials = as_trials(LOG, CURVES, "error", scientific=["act"])
    assert trials["round"].to_list() == [1, 1, 2, 2]
    assert trials["sample"].to_list() == [0, 1, 1, 1]
    assert trials["replicate"].to_list() == [0, 0, 0, 1]
    assert trials["best_step"].to_list() == [100, 50, 400, None]
    assert trials["best_objective"].to_list() == [0.4, 0.2, 0.1, None]
    assert json.loads(trials["combination"][1]) == {"act": "tanh"}
    assert trials["status"].unique().to_list() == ["complete"]


def test_what_a_log_says_stays():
    given = LOG.with_columns(
        best_objective=pl.lit(0.5), status=pl.lit("diverged"), round=pl.lit(7)
    )
    trials = as_trials(given)
    assert trials.select(given.columns).equals(given)
    assert trials["best_step"].to_list() == [100, 100, 400, 400]


def test_the_frames_are_what_the_rest_reads():
    trials = as_trials(LOG, CURVES, "error")
    assert rank(trials)["trial"].to_list() == [12, 11, 10]
    assert compare_with_parents(trials).is_empty()
    (found,) = transfers(trials)
    assert (found.num_pairs, found.short_steps, found.long_steps) == (1, 100, 400)


def test_a_larger_objective_may_be_better():
    trials = as_trials(LOG, CURVES, "error", maximize=True)
    assert trials["best_objective"].to_list()[:2] == [0.5, 0.3]


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((LOG.drop("trial"),), {}, "trial missing"),
        ((LOG,), {"scientific": ["width"]}, "hp.width missing"),
        ((LOG,), {}, "pass as_trials(frame, curves, metric)"),
        ((LOG, CURVES, "loss"), {}, "loss missing"),
        ((pl.concat([LOG, LOG]), CURVES, "error"), {}, "but trial 10 has several"),
    ],
)
def test_a_frame_that_lacks_something_is_refused(arguments, options, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        as_trials(*arguments, **options)
