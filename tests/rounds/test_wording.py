"""Numbers as people read them."""

import pytest

from tuner.rounds.wording import clock, count, duration, number


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 0 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_a_duration_has_the_units_that_tell(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.9, "0:00:00"), (59.9, "0:00:59"), (36_005, "10:00:05")]
)
def test_a_clock_shows_whole_seconds(seconds, text):
    assert clock(seconds) == text


def test_one_thing_has_no_plural():
    assert [count(n, "step") for n in (0, 1, 2000)] == [
        "0 steps",
        "1 step",
        "2,000 steps",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1 / 3, "0.3333"), (1e-9, "1e-09"), (64, "64"), (True, "True"), ("a", "a")],
)
def test_a_number_has_four_digits_and_what_is_none_stays(value, text):
    assert number(value) == text
