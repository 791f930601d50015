import enum

import numpy as np
import pytest

from tuner.study.values import number, plain, whole


class Colour(enum.StrEnum):
    RED = "red"


PLAIN = [
    # given               becomes
    (1, 1),
    (1.5, 1.5),
    (True, True),
    (None, None),
    ("relu", "relu"),
    (Colour.RED, "red"),
    (np.float32(0.5), 0.5),
    (np.int64(7), 7),
    ((64, np.int32(32)), (64, 32)),
]


@pytest.mark.parametrize(("given", "becomes"), PLAIN)
def test_a_plain_value_keeps_its_value(given, becomes):
    assert plain("width", given) == becomes


@pytest.mark.parametrize(("given", "becomes"), PLAIN)
def test_a_plain_value_has_a_type_of_python_itself(given, becomes):
    assert type(plain("width", given)) is type(becomes)


def test_a_whole_number_is_a_number():
    assert type(number("rate", 1)) is float


@pytest.mark.parametrize("value", [[1], np.ones(2), {}, np.bool_(True), (1, [2])])
def test_what_is_not_plain_is_refused(value):
    with pytest.raises(TypeError, match="`width` must be a plain value"):
        plain("width", value)


@pytest.mark.parametrize("value", ["0.1", True, None])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match="`rate` must be a number, but got"):
        number("rate", value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_must_be_finite(value):
    with pytest.raises(ValueError, match="`rate` must be finite, but got"):
        number("rate", value)


@pytest.mark.parametrize("value", [3.0, "3", False])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(TypeError, match="`width` must be a whole number, but got"):
        whole("width", value)
