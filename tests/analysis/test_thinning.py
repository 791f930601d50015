import hypothesis.strategies as st
import polars as pl
from hypothesis import given

from tuner.analysis.thinning import thin

values = st.lists(
    st.one_of(st.floats(-10, 10, width=32), st.just(float("nan")), st.none()),
    min_size=1,
    max_size=60,
)


def curve(trial, heights):
    steps = range(1, len(heights) + 1)
    schema = {"trial": pl.Int32, "step": pl.Int32, "loss": pl.Float32}
    rows = [(trial, step, height) for step, height in zip(steps, heights, strict=True)]
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_of_each_stretch_the_extremes_stay():
    #           first stretch       second stretch
    heights = [5, 6, 9, 1, 5, 5, 4, 4, 8, 4, 0, 4]
    thinned = thin(curve(0, heights), "loss", 6)
    assert thinned["step"].to_list() == [1, 3, 4, 9, 11, 12]


def test_a_short_curve_stays_whole():
    assert thin(curve(0, [3, 1, 2]), "loss", 4).height == 3


def test_each_trial_is_thinned_by_itself():
    first, second = curve(0, [3, 1, 2, 9, 1, 4, 4]), curve(1, list(range(50)))
    alone = [thin(first, "loss", 6), thin(second, "loss", 6)]
    assert thin(pl.concat([first, second]), "loss", 6).equals(pl.concat(alone))


def test_what_is_not_a_number_is_no_extreme():
    heights = [1.0, 2.0, float("nan"), 3.0, 2.0, None, 0.0, 1.0]
    thinned = thin(curve(0, heights), "loss", 4)
    assert thinned["loss"].to_list() == [1.0, 3.0, 0.0, 1.0]


@given(values, st.integers(4, 20))
def test_no_curve_keeps_more_rows_than_asked(heights, max_rows):
    thinned = thin(curve(0, heights), "loss", max_rows)
    assert thinned.height <= max(max_rows, 4)


@given(values, st.integers(4, 20))
def test_the_ends_and_the_extremes_are_never_lost(heights, max_rows):
    whole = curve(0, heights)
    thinned = thin(whole, "loss", max_rows)
    loss = pl.col("loss").fill_nan(None)
    summary = [loss.min().alias("low"), loss.max().alias("high")]
    ends = [pl.col("step").min(), pl.col("step").max().alias("last")]
    assert thinned.select(*summary, *ends).equals(whole.select(*summary, *ends))


@given(values, st.integers(4, 20))
def test_rows_stay_as_they_were_and_in_order(heights, max_rows):
    whole = curve(0, heights)
    thinned = thin(whole, "loss", max_rows)
    steps = thinned["step"].to_list()
    assert steps == sorted(set(steps))
    assert thinned.equals(whole.filter(pl.col("step").is_in(steps)))
