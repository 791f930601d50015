"""Budgets: how they are written, and when they are used up."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.rounds.budget import Budget

TEXTS = [
    ("2h", {"seconds": 7200}),
    ("90m", {"seconds": 5400}),
    ("45s", {"seconds": 45}),
    ("1h30m", {"seconds": 5400}),
    ("1h 30m", {"seconds": 5400}),
    ("1.5h", {"seconds": 5400}),
    ("0.25s", {"seconds": 0.25}),
    ("3d", {"seconds": 259_200}),
    ("1d2h3m4s", {"seconds": 93_784}),
    ("500000steps", {"steps": 500_000}),
    ("500_000 steps", {"steps": 500_000}),
    ("1step", {"steps": 1}),
    ("2h,500000steps", {"seconds": 7200, "steps": 500_000}),
]


@pytest.mark.parametrize(("text", "limits"), TEXTS)
def test_a_budget_is_read(text, limits):
    assert Budget.parse(text) == Budget(**limits)


@pytest.mark.parametrize(
    "text", ["", "2", "2 hours", "h", "m30", "30m1h", "-2h", "1e3steps", "2h,", "2h;3s"]
)
def test_what_is_no_budget_is_refused(text):
    rule = "a budget is written 2h, 90m, 45s, 1h30m or 500000steps, or as two of them, "
    with pytest.raises(ValueError, match=re.escape(f"{rule}2h,500000steps, but got")):
        Budget.parse(text)


SECONDS = st.integers(1, 10**7)


@given(SECONDS, st.none() | st.integers(1, 10**12))
def test_a_budget_is_read_as_it_is_written(seconds, steps):
    budget = Budget(seconds=seconds, steps=steps)
    assert Budget.parse(str(budget)) == budget


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({}, "a Budget needs seconds= or steps=, but has neither"),
        ({"seconds": 0}, "`seconds > 0` must hold, but got seconds=0"),
        ({"steps": -5}, "`steps > 0` must hold, but got steps=-5"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(limits, rule):
    with pytest.raises(ValueError, match=re.escape(rule)):
        Budget(**limits)


USED_UP = [
    # budget                            figures
    ({"seconds": 60},                   (59.9, 900), False),
    ({"seconds": 60},                   (60.0, 900), True),
    ({"steps": 1000},                   (59.9, 999), False),
    ({"steps": 1000},                   (59.9, 1000), True),
    ({"seconds": 60, "steps": 1000},    (70.0, 900), True),   # whichever comes first
    ({"seconds": 60, "steps": 1000},    (50.0, 1100), True),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "figures", "used_up"), USED_UP)
def test_a_budget_is_used_up_by_either(limits, figures, used_up):
    spent = dict(zip(("seconds", "trial_steps"), figures, strict=True))
    assert Budget(**limits).is_used_up(spent) == used_up


def test_a_run_that_has_not_begun_has_used_nothing():
    assert not Budget(seconds=1, steps=1).is_used_up({})


def test_twice_a_budget_is_twice_of_each():
    assert Budget(seconds=60, steps=5).doubled() == Budget(seconds=120, steps=10)
