import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from tuner.analysis import advise, best_shares, best_so_far, share_histogram

HORIZON = 1000


def trials(steps, horizon=HORIZON, **columns):
    """Complete trials by their best step, the better first."""
    return pl.DataFrame(
        {
            "trial": pl.Series(range(len(steps)), dtype=pl.Int32),
            "status": ["complete"] * len(steps),
            "max_train_steps": [horizon] * len(steps),
            "best_step": steps,
            "best_objective": [0.1 * n for n in range(len(steps))],
            "tie": pl.Series([None] * len(steps), dtype=pl.Float64),
        }
    ).with_columns(**columns)


def evaluations(frame, number=20):
    steps = pl.int_range(1, number + 1).implode()
    return frame.select("trial", step=steps).explode("step")


def updates(frame, last_rate):
    """The rate is 1, and at the last step `last_rate`."""
    return pl.concat(
        frame.select("trial", step=step, learning_rate=rate)
        for step, rate in ((pl.lit(1), 1.0), (pl.lit(2), last_rate))
    )


def said(frame, number=20, last_rate=1.0, **options):
    (advice,) = advise(
        frame, evaluations(frame, number), updates(frame, last_rate), **options
    )
    return advice.says


#  best steps of ten trials of 1,000 steps, the better half first
RULES = [
    # all within the first tenth
    ([50, 60, 70, 80, 90, 100, 20, 30, 40, 10], "too long"),
    # nine of ten are 90 %
    ([50, 60, 70, 80, 90, 100, 20, 30, 40, 999], "too long"),
    # eight are not
    ([50, 60, 70, 80, 90, 100, 20, 30, 999, 999], "cannot tell"),
    # four of the better five lie in the last quarter, of the others none
    ([800, 900, 1000, 751, 10, 10, 10, 10, 10, 300], "too short"),
    # 750 of 1,000 is not in it
    ([800, 900, 1000, 750, 10, 10, 10, 10, 10, 300], "cannot tell"),
    # the worse half does not count
    ([800, 900, 10, 10, 10, 999, 999, 999, 999, 999], "cannot tell"),
]


@pytest.mark.parametrize(("steps", "says"), RULES)
def test_d4_the_two_rules_and_their_quorums(steps, says):
    assert said(trials(steps)) == says


LATE = [800, 900, 1000, 751, 10, 10, 10, 10, 10, 300]
EARLY = [50] * 10


def test_d4_under_a_rate_that_decays_late_best_steps_are_a_note():
    assert said(trials(LATE), last_rate=0.1) == "not too long"


def test_d4_with_better_evidence_they_are_more():
    assert said(trials(LATE), last_rate=0.1, is_compute_bound=True) == "too short"


def test_d4_without_rates_a_schedule_is_taken_for_one_that_decays():
    frame = trials(LATE)
    (advice,) = advise(frame, evaluations(frame))
    assert advice.says == "not too long"


@pytest.mark.parametrize("steps", [EARLY, LATE])
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"number": 19}, "19 evaluations a run are fewer than 20"),
        ({"on_edge": ["lr"]}, "the best values of lr lie on the edge of the range"),
    ],
)
def test_d4_both_rules_are_silent_where_they_would_mislead(steps, options, why):
    frame = trials(steps)
    number, on_edge = options.get("number", 20), options.get("on_edge", ())
    (advice,) = advise(
        frame, evaluations(frame, number), updates(frame, 1.0), on_edge=on_edge
    )
    assert (advice.says, advice.why) == ("cannot tell", why)


@pytest.mark.parametrize("steps", [EARLY, LATE])
def test_d4_of_nine_trials_nothing_is_said(steps):
    assert said(trials(steps[:9])) == "cannot tell"


def test_d4_trials_that_broke_or_were_stopped_do_not_count():
    ended = pl.Series(["complete"] * 10 + ["diverged", "stopped"])
    frame = trials([*EARLY, 999, 999], status=ended)
    assert said(frame) == "too long"


def test_d4_evidence_counts_for_the_longest_horizon_alone():
    later = trials(LATE, 2000, trial=pl.int_range(10, 20, dtype=pl.Int32))
    later = later.with_columns(best_step=2 * pl.col("best_step"))
    frame = pl.concat([trials(LATE), later])
    whole = updates(frame, 0.1)
    short, long = advise(frame, evaluations(frame), whole, is_compute_bound=True)
    assert (short.horizon, short.says) == (1000, "not too long")
    assert (long.horizon, long.says) == (2000, "too short")


def test_d4_children_of_one_parent_count_once():
    # two extensions of each of six: six trials are too few, twelve were not
    parents = pl.Series([0, 1, 2, 3, 4, 5] * 2, dtype=pl.Int32)
    siblings = trials([50] * 12, parent=parents)
    assert said(siblings) == "cannot tell"
    seeds = siblings.with_columns(replicate=pl.int_range(pl.len()) // 6)
    assert said(seeds) == "too long"


def test_d4_the_advice_has_its_numbers():
    frame = trials(RULES[1][0])
    (advice,) = advise(frame, evaluations(frame), updates(frame, 1.0))
    counted = (advice.num_trials, advice.early, advice.num_better, advice.late)
    assert counted == (10, 9, 5, 0)
    assert advice.latest == 100  # nine of ten were best by then


def test_d4_a_maximized_objective_has_its_better_half_at_the_top():
    shares = best_shares(trials([100] * 5), maximize=True)
    assert shares["better"].to_list() == [False, False, True, True, True]


def test_d4_a_histogram_has_a_row_for_every_part_of_a_run():
    shares = best_shares(trials([1, 250, 251, 1000]))
    histogram = share_histogram(shares, bins=4)
    assert histogram.rows() == [
        (1000, 0.0, 0.25, 2),  # step 250 is the last of the first quarter
        (1000, 0.25, 0.5, 1),
        (1000, 0.5, 0.75, 0),
        (1000, 0.75, 1.0, 1),
    ]


def test_a_histogram_needs_bins():
    with pytest.raises(ValueError, match="`bins >= 1` must hold, but got bins=0"):
        share_histogram(best_shares(trials([1])), bins=0)


def test_no_trials_give_no_advice():
    frame = trials([]).with_columns(pl.col("best_step").cast(pl.Int32))
    assert advise(frame, evaluations(frame)) == []
    assert share_histogram(best_shares(frame)).is_empty()


VALUES = st.floats(-1e6, 1e6) | st.just(float("nan"))


@given(st.lists(VALUES, min_size=1, max_size=30), st.booleans())
def test_d5_of_one_curve_more_steps_never_have_a_worse_best(values, maximize):
    curve = pl.DataFrame({"trial": 0, "step": range(len(values)), "loss": values})
    best = best_so_far(curve, "loss", maximize=maximize)["best_so_far"].drop_nulls()
    changes = best.diff().drop_nulls()
    assert ((changes >= 0) if maximize else (changes <= 0)).all()
    finite = [value for value in values if value == value]
    extreme = max if maximize else min
    assert best.to_list()[-1:] == ([extreme(finite)] if finite else [])
