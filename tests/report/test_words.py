import numpy as np
import pytest

from tuner.report.words import (
    MINUS,
    NOTHING,
    change,
    count,
    distance,
    listed,
    precision,
    short,
    shown,
)

NAN = float("nan")


@pytest.mark.parametrize(
    # the best first; the median distance from it has three digits
    ("values", "form"),
    [
        ([0.0, 0.0034, 0.0101, 0.05, 0.9], ".4f"),
        ([2.301, 2.34, 2.5, 3.1, 9.0], ".3f"),
        ([0.95, 0.94, 0.9, 0.1], ".4f"),
        ([120.0, 900.0, 1500.0], ".0f"),
        ([1e-9, 1e-7, 1e-8], ".2e"),
        ([0.25], ".3f"),  # no distance: the value itself has them
        ([0.0, 0.0], ".0f"),
        ([0.1, NAN, 0.2, 0.3], ".3f"),
        ([], "g"),
    ],
)
def test_a_format_shows_what_tells_values_apart(values, form):
    assert precision(np.array(values, float)) == form


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.00337, ".4f", "0.0034"),
        (2.4e-8, ".4f", "0.0000"),
        (12345.6, ".0f", "12,346"),
        (-1.5, ".1f", f"{MINUS}1.5"),
        (1.2e-9, ".2e", "1.20e-09"),
        (None, ".4f", NOTHING),
    ],
)
def test_a_number_is_shown_in_its_format(value, form, text):
    assert shown(value, form) == text


def test_a_distance_is_never_shown_as_nothing():
    assert distance(0.00337, ".4f") == "0.0034"
    assert distance(2.4e-8, ".4f") == "2.4e-08"
    assert distance(0.0, ".4f") == "0.0000"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.25, "+0.25"),
        (-0.25, f"{MINUS}0.25"),
        (-1e-6, f"{MINUS}1.0e-06"),
        (0.0, "0"),
        (None, NOTHING),
    ],
)
def test_a_change_has_its_sign(value, text):
    assert change(value, ".2f") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0132331, "0.0132"),
        (1.72e-5, "1.72e-05"),
        (-0.5, f"{MINUS}0.5"),
        (91, "91"),
        (True, "True"),
        ("relu", "relu"),
        (None, NOTHING),
    ],
)
def test_a_hyperparameter_is_shown_short(value, text):
    assert short(value) == text


def test_a_count_has_its_noun():
    assert count(46350) == "46,350"
    assert count(1, "trial") == "1 trial"
    assert count(1000, "trial") == "1,000 trials"


def test_names_are_listed():
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"], conjunction="or") == "a, b or c"
