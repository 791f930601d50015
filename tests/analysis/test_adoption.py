import numpy as np
import polars as pl
import pytest
from scipy import stats

from tuner.analysis.adoption import compare_with_baseline as compared
from tuner.analysis.adoption import welch_interval

SCHEMA = {
    "round": pl.Int32,
    "sample": pl.Int32,
    "replicate": pl.Int32,
    "best_objective": pl.Float64,
}
BASE = [0.50, 0.52, 0.48, 0.51, 0.49]


def trials(*rows, **columns):
    frame = pl.DataFrame(list(rows), schema=SCHEMA, orient="row")
    given = {
        "combination": pl.lit("{}"),
        "status": pl.lit("complete"),
        "hp.x": pl.col("sample"),
    }
    return frame.with_columns(**given | columns).with_row_index("trial")


def retrained(sample, values, *, number=2):
    return [(number, sample, i, value) for i, value in enumerate(values)]


def test_c13_a_candidate_that_is_better_given_both_variances_is_adopted():
    luck = (1, 3, 0, 0.01)  # the winning run
    ours = [0.01, 0.41, 0.39, 0.40, 0.42]  # the first has the winning run's seed
    found = compared(trials(luck, *retrained(-1, BASE), *retrained(3, ours)))
    (candidate,) = found.candidates
    assert candidate.verdict == "adopt"
    assert candidate.values == (0.41, 0.39, 0.40, 0.42)
    assert candidate.difference == pytest.approx(0.405 - 0.5)
    assert candidate.low < candidate.difference < candidate.high < 0
    assert found.values == tuple(BASE)


def test_c13_a_lucky_run_alone_adopts_nothing():
    luck = (1, 3, 0, 0.01)
    ours = [0.01, 0.50, 0.51, 0.49, 0.52]
    found = compared(trials(luck, *retrained(-1, BASE), *retrained(3, ours)))
    assert found.candidates[0].verdict == "cannot tell"


def test_c13_a_worse_candidate_keeps_the_baseline():
    found = compared(trials(*retrained(-1, BASE), *retrained(3, [0.9, 0.91, 0.92])))
    assert found.candidates[0].verdict == "keep the baseline"
    assert found.candidates[0].enough is None


def test_c13_a_maximized_objective_is_better_when_larger():
    rows = *retrained(-1, BASE), *retrained(3, [0.9, 0.91, 0.92])
    assert compared(trials(*rows), maximize=True).candidates[0].verdict == "adopt"


def test_c13_candidates_come_best_first_and_share_the_chance_of_an_error():
    rows = [*retrained(-1, BASE), *retrained(3, [0.5, 0.6]), *retrained(4, [0.4, 0.5])]
    found = compared(trials(*rows))
    assert [c.values for c in found.candidates] == [(0.4, 0.5), (0.5, 0.6)]
    two = welch_interval(np.array([0.4, 0.5]), np.array(BASE), 0.975)
    assert (found.candidates[0].low, found.candidates[0].high) == two


def test_c13_more_runs_are_asked_for_where_they_might_tell():
    rows = [*retrained(-1, [0.5, 0.6, 0.4]), *retrained(3, [0.45, 0.55, 0.35])]
    found = compared(trials(*rows, seed=pl.lit(None, pl.Int32))).candidates[0]
    assert found.verdict == "cannot tell"
    # 2 x 0.1^2 x (1.960 + 0.842)^2 / 0.05^2 = 62.8
    assert found.enough == 63


# Runs differ by 1 from seed to seed, the two by 0.1: only pairs can tell.
BY_SEED = [*retrained(-1, [1.0, 2, 3, 4]), *retrained(3, [0.89, 1.91, 2.89, 3.91])]


def test_c13_equal_seeds_are_paired():
    (candidate,) = compared(
        trials(*BY_SEED, seed=pl.Series([7, 8, 9, 10] * 2))
    ).candidates
    assert (candidate.paired, candidate.verdict) == (True, "adopt")
    unknown = trials(*BY_SEED, seed=pl.lit(None, pl.Int32))
    (candidate,) = compared(unknown).candidates
    assert (candidate.paired, candidate.verdict) == (False, "cannot tell")


def test_c13_replicates_of_later_rounds_share_their_seeds():
    fresh = trials(*BY_SEED).with_columns(pl.col("replicate") + 3)
    assert compared(fresh).candidates[0].paired


def test_c13_the_baseline_is_the_rounds_first_point():
    # a point that was in round 1 too has another sample in round 2
    early = [(1, -1, 0, 0.9)]
    rows = [*early, *retrained(-3, [0.1, 0.2]), *retrained(-2, BASE)]
    found = compared(trials(*rows))
    assert found.values == tuple(BASE)
    assert [c.values for c in found.candidates] == [(0.1, 0.2)]


def test_c13_two_rules_make_two_candidates():
    rules = pl.Series([None] * 5 + ["a"] * 2 + ["b"] * 2, dtype=pl.String)
    rows = [*retrained(-1, BASE), *retrained(3, [0.1, 0.2, 0.8, 0.9])]
    found = compared(trials(*rows, extend=rules))
    assert [c.values for c in found.candidates] == [(0.1, 0.2), (0.8, 0.9)]


def test_c13_broken_runs_are_counted():
    rows = [*retrained(-1, BASE), *retrained(3, [0.1, 0.2, None])]
    frame = trials(*rows).with_columns(
        status=pl.when(pl.col("best_objective").is_null())
        .then(pl.lit("diverged"))
        .otherwise("status")
    )
    found = compared(frame)
    assert (found.broken, found.candidates[0].values) == (1, (0.1, 0.2))


def test_c13_any_trial_names_the_baseline():
    rows = [*retrained(5, BASE), *retrained(3, [0.1, 0.2])]
    assert compared(trials(*rows)) is None
    assert compared(trials(*rows), baseline=2).values == tuple(BASE)


@pytest.mark.parametrize(
    "rows",
    [
        [*retrained(-1, BASE), (2, 3, 0, 0.1)],  # one run has no variance
        [(2, -1, 0, 0.1), *retrained(3, BASE)],
        [*retrained(-1, BASE), (1, 3, 0, 0.1), (1, 3, 1, 0.1), *retrained(3, [0, 0])],
    ],
    ids=["one candidate", "one baseline", "none fresh"],
)
def test_c13_without_fresh_runs_of_both_nothing_is_said(rows):
    assert compared(trials(*rows)) is None


def test_the_interval_is_welchs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=4), rng.normal(1, 3, size=7)
    theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert welch_interval(a, b, 0.95) == pytest.approx((theirs.low, theirs.high))


def test_runs_that_do_not_vary_have_an_interval_without_width():
    assert welch_interval(np.zeros(3), np.ones(3), 0.95) == (-1, -1)
