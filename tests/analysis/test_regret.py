import math

import polars as pl
import pytest

from tuner.analysis.regret import regret

INF = float("inf")


def pairs(*rows):
    """Short result, long result, whether it is a control trial."""
    schema = {"short": pl.Float64, "long": pl.Float64, "control": pl.Boolean}
    return pl.DataFrame(list(rows), schema=schema, orient="row").with_row_index("trial")


KEPT = [(0.1, 0.5, False), (0.2, 0.4, False), (0.3, 0.3, False)]


def test_d8_the_regret_is_what_the_best_of_all_is_ahead_of_the_best_kept():
    found = regret(pairs(*KEPT, (0.8, 0.05, True), (0.9, 0.6, True)))
    # keeping one would have cost 0.5 - 0.05, two 0.4 - 0.05, three 0.3 - 0.05
    assert found.table["keep"].to_list() == [1, 2, 3]
    assert found.table["regret"].to_list() == pytest.approx([0.45, 0.35, 0.25])
    assert (found.others, found.better) == (2, 1)


def test_d8_a_better_control_trial_or_two_are_chance():
    found = regret(pairs(*KEPT, (0.8, 0.1, True), (0.9, 0.2, True)))
    # both of the best two of five are control trials in one of ten draws
    assert found.chance == pytest.approx(1 / math.comb(5, 2))
    assert not found.is_missing_some


def test_d8_many_better_control_trials_are_told():
    found = regret(pairs(*KEPT, *[(1, n / 100, True) for n in range(12)]))
    assert found.better == 12
    assert found.is_missing_some


def test_d8_nothing_lost_still_leaves_room_for_some():
    found = regret(pairs(*KEPT, *[(1, 1, True)] * 8))
    assert found.table["regret"].to_list()[-1] == 0
    # 31.2 % better ones hide from eight draws with the chance 0.688^8 = 0.05
    assert found.most_missed == pytest.approx(0.3123, abs=1e-4)


def test_d8_where_all_went_on_a_third_of_them_counts_as_kept():
    found = regret(pairs(*[(n, n, False) for n in range(12)]))
    assert found.table["keep"].to_list() == [1, 2, 4]
    assert found.others == 8


def test_a_tie_is_nothing_better():
    assert regret(pairs(*KEPT, (0.8, 0.3, True))).better == 0


def test_all_that_were_kept_broke():
    found = regret(pairs((0.1, INF, False), (0.5, 0.2, True)))
    assert found.table["regret"].to_list() == [INF]
    assert regret(pairs((0.1, INF, False), (0.5, INF, True))).better == 0


def test_nobody_was_left_behind():
    assert regret(pairs((0.1, 0.2, False))) is None
