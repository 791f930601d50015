import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuner.analysis.agreement import kendall, rank_agreement, spearman

ORDER = np.arange(10.0)
NUMBERS = st.lists(st.integers(0, 9).map(float), min_size=3, max_size=12)


def test_d8_the_same_order_is_kept():
    found = rank_agreement(ORDER, ORDER**3)
    assert found.verdict == "kept"
    assert found.kendall.value == found.kendall.low == found.kendall.high == 1
    assert found.spearman.value == pytest.approx(1)


def test_d8_the_opposite_order_is_reversed():
    found = rank_agreement(ORDER, -ORDER)
    assert (found.verdict, found.kendall.value) == ("reversed", -1)


def test_d8_orders_that_have_nothing_in_common_cannot_be_told():
    # 23 of the 45 pairs agree: tau = (23 - 22) / 45
    mixed = np.array([5, 2, 8, 0, 9, 4, 1, 7, 3, 6.0])
    found = rank_agreement(ORDER, mixed)
    assert found.verdict == "cannot tell"
    assert found.kendall.low < 0 < found.kendall.high
    assert found.chance > 0.5


def test_d8_nothing_is_said_of_fewer_than_ten():
    assert rank_agreement(ORDER[:9], ORDER[:9]) is None
    assert rank_agreement(ORDER, ORDER) is not None


def test_d8_nothing_is_said_where_all_are_tied():
    assert rank_agreement(ORDER, np.zeros(10)) is None


def test_a_broken_trial_is_the_worst():
    broken = np.where(ORDER == 9, np.inf, ORDER)
    assert rank_agreement(ORDER, broken) == rank_agreement(ORDER, ORDER)


def test_the_same_data_give_the_same_interval():
    noisy = ORDER + np.random.default_rng(0).normal(0, 3, 10)
    assert rank_agreement(ORDER, noisy) == rank_agreement(ORDER, noisy)


@given(st.data())
def test_correlations_are_those_of_scipy(data):
    x = np.array(data.draw(NUMBERS))
    y = np.array(data.draw(st.lists(st.floats(0, 1), min_size=len(x), max_size=len(x))))
    once = np.ones((1, len(x)))
    if len(set(x)) > 1 and len(set(y)) > 1:
        ours = kendall(x, y, once).item(), spearman(x, y, once).item()
        theirs = stats.kendalltau(x, y).statistic, stats.spearmanr(x, y).statistic
        assert ours == pytest.approx(theirs, abs=1e-9)


@given(st.data())
def test_a_pair_drawn_twice_counts_twice(data):
    x = np.array(data.draw(NUMBERS))
    y = np.array(data.draw(st.permutations(range(len(x)))), float)
    times = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=len(x), max_size=len(x)))
    )
    if not times.any():
        return
    drawn_x, drawn_y = np.repeat(x, times), np.repeat(y, times)
    once = np.ones((1, len(drawn_x)))
    for of in (kendall, spearman):
        drawn = of(drawn_x, drawn_y, once)
        assert of(x, y, times[None]) == pytest.approx(drawn, abs=1e-9)
