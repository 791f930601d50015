import itertools
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from tuner.report.axes import Axis, axis_of, spread

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)
shares = st.lists(st.floats(0, 1), max_size=8)


def test_numbers_that_span_decades_are_shown_by_logarithms():
    axis = axis_of(np.array([0.01, 0.1, 1.0]))
    assert axis.log
    # 7 % of two decades are left at both ends
    assert math.log10(axis.low) == pytest.approx(-2 - 0.14)
    assert math.log10(axis.high) == pytest.approx(0.14)


def test_a_zero_or_what_is_left_of_one_forbids_logarithms():
    assert not axis_of(np.array([0.0, 0.1, 10.0])).log
    assert not axis_of(np.array([2.4e-8, 0.1, 10.0])).log


def test_the_worst_may_lie_beyond_an_even_axis():
    # three quarters are within 3 of the best: the axis reaches to 9 and a bit
    axis = axis_of(np.array([0.0, 1.0, 2.0, 3.0, 100.0]))
    assert (axis.low, axis.high) == pytest.approx((-0.63, 9.63))


def test_the_worst_of_a_maximized_objective_are_the_lowest():
    axis = axis_of(np.array([0.0, -1.0, -2.0, -3.0, -100.0]), maximize=True)
    assert (axis.low, axis.high) == pytest.approx((-9.63, 0.63))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], (0, 1)), ([2.0, 2.0], (1.8, 2.2)), ([0.0], (-1, 1)), ([math.nan], (0, 1))],
)
def test_there_is_an_axis_for_next_to_nothing(values, expected):
    axis = axis_of(np.array(values, float))
    assert (axis.low, axis.high) == pytest.approx(expected)


@given(numbers, st.booleans())
def test_the_best_three_quarters_are_inside(values, maximize):
    axis = axis_of(np.array(values), maximize=maximize)
    ordered = sorted(values, reverse=maximize)
    for value in ordered[: math.ceil(len(values) * 3 / 4)]:
        assert axis.low <= value <= axis.high


@pytest.mark.parametrize("axis", [Axis(1.0, 100.0, log=True), Axis(-3.0, 5.0)])
@given(share=st.floats(-0.5, 1.5))
def test_a_share_of_the_way_leads_back(axis, share):
    assert axis.share(axis.at(share)) == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(("low", "high", "log"), [(1, 1, False), (0, 1, True)])
def test_an_axis_has_two_ends(low, high, log):
    message = r"`low < high` must hold, and `0 < low` by logarithms, but got \(low="
    with pytest.raises(ValueError, match=message):
        Axis(float(low), float(high), log)


def test_labels_that_would_overlap_are_moved_apart_around_their_middle():
    assert spread([0.5, 0.1, 0.52], 0.1) == pytest.approx([0.46, 0.1, 0.56])


def test_labels_with_room_stay():
    assert spread([0.9, 0.2, 0.5], 0.1) == pytest.approx([0.9, 0.2, 0.5])


def test_labels_stay_within_the_figure():
    assert spread([0.0, 0.0], 0.1) == pytest.approx([0.0, 0.1])
    assert spread([1.0, 1.0, 1.0], 0.1) == pytest.approx([0.8, 0.9, 1.0])


@given(shares, st.floats(0.01, 0.1))
def test_no_two_labels_are_closer_than_the_gap(shares, gap):
    placed = sorted(spread(shares, gap))
    assert all(b - a >= gap - 1e-9 for a, b in itertools.pairwise(placed))


@given(shares, st.floats(0.01, 0.1))
def test_labels_keep_their_order(shares, gap):
    placed = spread(shares, gap)
    for a, at_a in zip(shares, placed, strict=True):
        for b, at_b in zip(shares, placed, strict=True):
            assert a >= b or at_a < at_b
