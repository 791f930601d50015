import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tuner.study.domains import Choice, Float, Int
from tuner.study.space import Space

# Known answers.

VALUES = [
    # domain                        unit   value
    (Float(0.0, 10.0), 0.25, 2.5),
    (Float(1e-4, 1e-2, log=True), 0.5, pytest.approx(1e-3, rel=1e-15)),
    (Int(1, 4), 0.24, 1),
    (Int(1, 4), 0.26, 2),
    (Int(1, 4), 0.5, 3),
    # [1/2, 7/2] on a log scale: 1 until log(3) / log(7) = 0.565, 2 until 0.827
    (Int(1, 3, log=True), 0.56, 1),
    (Int(1, 3, log=True), 0.57, 2),
    (Int(1, 3, log=True), 0.82, 2),
    (Int(1, 3, log=True), 0.83, 3),
    (Choice("relu", "gelu"), 0.49, "relu"),
    (Choice("relu", "gelu"), 0.5, "gelu"),
]


@pytest.mark.parametrize(("domain", "unit", "value"), VALUES)
def test_a_place_has_its_value(domain, unit, value):
    assert domain.value(unit) == value


UNITS = [
    # domain                        value  unit
    (Float(0, 10), 2.5, 0.25),
    (Float(1e-4, 1e-2, log=True), 1e-3, pytest.approx(0.5, rel=1e-15)),
    (Int(1, 4), 2, 0.375),  # the middle of [0.25, 0.5]
    (Choice("relu", "gelu"), "gelu", 0.75),
]


@pytest.mark.parametrize(("domain", "value", "unit"), UNITS)
def test_a_value_has_its_place(domain, value, unit):
    assert domain.unit(value) == unit


ENDS = [
    (Float(0.1, 0.7), 0.1, 0.7),
    (Float(1e-6, 0.1, log=True), 1e-6, 0.1),
    (Int(-2, 3), -2, 3),
    (Int(1, 100, log=True), 1, 100),
    (Choice("relu", "gelu", "tanh"), "relu", "tanh"),
]


@pytest.mark.parametrize(("domain", "low", "high"), ENDS)
def test_both_ends_are_reached_exactly(domain, low, high):
    assert (domain.value(0.0), domain.value(1.0)) == (low, high)


@given(low=st.floats(1e-30, 1e30), factor=st.floats(1.001, 1e6))
def test_the_ends_of_any_logarithmic_range_are_exact(low, factor):
    domain = Float(low, low * factor, log=True)
    assert (domain.value(0.0), domain.value(1.0)) == (low, low * factor)


ROUNDED = [
    (Float(9e-5, 1e-4, log=True), 1 - 2**-53),
    (Float(0.5, 0.6, log=True), 2**-53),
]


@pytest.mark.parametrize(("domain", "unit"), ROUNDED)
def test_rounding_does_not_leave_the_range(domain, unit):
    assert domain.low <= domain.value(unit) <= domain.high


def test_whole_numbers_own_equal_stretches():
    places = (np.arange(600) + 0.5) / 600
    counts = Counter(Int(-2, 3).value(place) for place in places)
    assert counts == dict.fromkeys(range(-2, 4), 100)


def test_an_int_among_the_floats_becomes_one():
    assert repr(Float(0, 1).check("momentum", 1)) == "1.0"


def test_ints_among_the_floats_of_a_choice_become_floats():
    assert repr(Choice(0, 0.5).values) == "(0.0, 0.5)"


OFF = [
    Float(1e-6, 0.1, log=True, off=0),
    Int(1, 9, off=0),
    Choice(0.1, 0.2, off=0),
]


@pytest.mark.parametrize("domain", OFF)
def test_the_number_that_switches_off_may_lie_outside(domain):
    assert domain.check("weight_decay", 0) == 0


STATIC = [
    (Float(0, 1), False),
    (Int(1, 9), False),
    (Int(1, 9, static=True), True),
    (Choice(1, 2), False),
    (Choice(0.1, 0.2), False),
    (Choice(1, None, static=True), True),
    (Choice("relu", None), True),
    (Choice(True, False), True),
    (Choice({"adam": Space()}), True),
]


@pytest.mark.parametrize(("domain", "is_static"), STATIC)
def test_strings_booleans_and_what_says_so_are_static(domain, is_static):
    assert domain.is_static is is_static


def test_a_range_describes_itself():
    domain = Float(0, 0.9, role="scientific", kind="regularization", off=0, hard="low")
    assert domain.describe() == {
        "type": "float",
        "low": 0.0,
        "high": 0.9,
        "log": False,
        "role": "scientific",
        "kind": "regularization",
        "off": 0.0,
        "hard": "low",
        "static": False,
    }


def test_a_choice_describes_itself():
    assert Choice({"adam": Space(), "sgd": Space()}).describe() == {
        "type": "choice",
        "values": ["adam", "sgd"],
        "role": "nuisance",
        "kind": None,
        "off": None,
        "hard": None,
        "static": True,
    }


# Laws.

DOMAINS = {
    "Float": Float(-1, 2.5),
    "Float, log": Float(1e-6, 0.1, log=True),
    "Float, off outside": Float(1e-6, 0.1, log=True, off=0.0),
    "Int": Int(-2, 3),
    "Int, log": Int(1, 100, log=True),
    "Choice of strings": Choice("relu", "gelu", "tanh"),
    "Choice with None": Choice(None, "flip"),
    "Choice of booleans": Choice(True, False),
    "Choice of ints": Choice(16, 32, 64),
    "Choice of floats": Choice(0, 0.1, 1),
    "Choice of spaces": Choice({"adam": Space(b1=Float(0.5, 0.9)), "sgd": Space()}),
}

each_domain = pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)


@each_domain
@given(unit=st.floats(0, 1))
def test_samples_lie_in_their_domain(domain, unit):
    value = domain.value(unit)
    assert domain.check("x", value) == value


@each_domain
@given(unit=st.floats(0, 1))
def test_a_value_is_found_again_at_its_place(domain, unit):
    value = domain.value(unit)
    if isinstance(domain, Float):
        # A place has 53 bits for the whole range: a float comes back but for the last.
        value = pytest.approx(value, rel=1e-13, abs=1e-15)
    assert domain.value(domain.unit(domain.value(unit))) == value


@each_domain
@given(unit=st.floats(0, 1))
def test_a_place_lies_in_the_unit_interval(domain, unit):
    assert 0 <= domain.unit(domain.value(unit)) <= 1


@each_domain
@given(unit=st.floats(0, 1))
def test_values_are_of_one_type(domain, unit):
    assert type(domain.value(unit)) in (type(domain.value(1.0)), type(None))


@each_domain
def test_a_description_is_json(domain):
    assert json.loads(json.dumps(domain.describe())) == domain.describe()


@each_domain
def test_domains_can_be_keys(domain):
    assert {domain: 1}[domain] == 1


@given(ends=st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), data=st.data())
def test_every_number_is_found_again(ends, data):
    low, high = sorted(ends)
    assume(low < high)
    value = data.draw(st.floats(low, high))
    domain = Float(low, high)
    # To the bits that a number as large as the ends has.
    close = pytest.approx(value, rel=0, abs=1e-15 * max(-low, high, high - low))
    assert domain.value(domain.unit(value)) == close


@given(low=st.integers(1, 10**6), length=st.integers(1, 10**9), data=st.data())
@pytest.mark.parametrize("log", [False, True])
def test_every_whole_number_is_found_again(log, low, length, data):
    domain = Int(low, low + length, log=log)
    value = data.draw(st.integers(low, low + length))
    assert domain.value(domain.unit(value)) == value


# Errors.


@pytest.mark.parametrize("make", [Float, Int])
def test_a_range_must_not_be_empty(make):
    with pytest.raises(ValueError, match=r"`low < high` must hold, but got \(low=3"):
        make(3, 1)


@pytest.mark.parametrize("make", [Float, Int])
def test_a_logarithm_needs_positive_numbers(make):
    with pytest.raises(ValueError, match="`low > 0` must hold on a log scale"):
        make(0, 1, log=True)


@pytest.mark.parametrize(("low", "high"), [(-(2**31) - 1, 0), (0, 2**31)])
def test_whole_numbers_have_32_bits(low, high):
    with pytest.raises(ValueError, match="numbers in 32 bits, but got"):
        Int(low, high)


def test_a_domain_is_not_fixed():
    with pytest.raises(ValueError, match="write the value itself, as in tuner"):
        Float(0, 1, role="fixed")


def test_an_unknown_role_lists_the_known():
    with pytest.raises(ValueError, match="unknown role 'science': did you mean 'scie"):
        Float(0, 1, role="science")


def test_an_unknown_kind_lists_the_known():
    with pytest.raises(ValueError, match="unknown kind 'warmup': did you mean 'warm-u"):
        Int(0, 1, kind="warmup")


def test_an_unknown_limit_lists_the_known():
    with pytest.raises(ValueError, match="unknown hard limit 'lower': did you mean 'l"):
        Float(0, 1, hard="lower")


def test_what_switches_off_must_be_a_value():
    with pytest.raises(TypeError, match="`off` must be a number, but got 'none'"):
        Float(0, 1, off="none")


def test_the_name_that_switches_off_must_be_known():
    with pytest.raises(ValueError, match="`off` must be one of 'none', 'flip', but"):
        Choice("flip", "none", off="no")


def test_the_number_that_switches_off_a_scientific_choice_is_among_its_values():
    with pytest.raises(ValueError, match=r"`off` must be one of 0\.1, 0\.2, but got 0"):
        Choice(0.1, 0.2, off=0, role="scientific")


@pytest.mark.parametrize("domain", [Float(0.1, 0.5), Int(1, 5)])
def test_a_number_out_of_range_is_refused(domain):
    rule = f"`{domain.low} <= x <= {domain.high}` must hold, but got"
    with pytest.raises(ValueError, match=rule):
        domain.check("x", 9)


def test_a_place_is_only_for_what_is_inside():
    with pytest.raises(ValueError, match=r"<= value <= 0\.1` must hold"):
        Float(1e-6, 0.1, log=True, off=0.0).unit(0.0)


@pytest.mark.parametrize("domain", [Int(1, 5), Choice(1, 2)])
def test_no_number_is_rounded(domain):
    with pytest.raises(TypeError, match="`width` must be a whole number, but"):
        domain.check("width", 2.0)


@pytest.mark.parametrize("unit", [-0.1, 1.1, math.nan])
def test_a_place_outside_the_unit_interval_is_refused(unit):
    with pytest.raises(ValueError, match="`0 <= unit <= 1` must hold, but got"):
        Float(0, 1).value(unit)


def test_a_value_not_among_the_choices_lists_them_nearest_first():
    rule = "`activation` must be one of 'gelu', 'relu', but got 'geluu'"
    with pytest.raises(ValueError, match=rule):
        Choice("relu", "gelu").check("activation", "geluu")


@pytest.mark.parametrize(
    ("domain", "value", "kind"),
    [(Choice("relu", "gelu"), 1, "str"), (Choice(True, False), 1, "bool")],
)
def test_a_value_of_another_type_is_refused(domain, value, kind):
    with pytest.raises(TypeError, match=f"`x` must be a {kind}, but got 1"):
        domain.check("x", value)


@pytest.mark.parametrize("values", [(), (None,), (1, "a"), (True, 1), ((1,), (2,))])
def test_a_choice_is_of_one_type(values):
    with pytest.raises(TypeError, match="at least one and all of one type, but got"):
        Choice(*values)


def test_a_choice_is_of_plain_values():
    with pytest.raises(TypeError, match="`a choice` must be a plain value"):
        Choice([1, 2])


def test_the_values_of_a_choice_differ():
    with pytest.raises(ValueError, match=r"must differ, but got \(1.0, 0.5, 1.0\)"):
        Choice(1, 0.5, 1.0)


def test_none_beside_numbers_must_be_static():
    with pytest.raises(ValueError, match=r"None cannot be traced.*declare static=True"):
        Choice(None, 0.1)


def test_spaces_are_opened_by_one_mapping():
    with pytest.raises(TypeError, match="put all names into one mapping"):
        Choice("sgd", {"adam": Space()})


def test_a_name_that_opens_a_space_has_no_dot():
    with pytest.raises(ValueError, match=r"a word without dots, but got 'adam\.w'"):
        Choice({"adam.w": Space()})


def test_a_name_opens_a_space():
    with pytest.raises(TypeError, match=r"'adam' must open a tuner.Space, but got 0.9"):
        Choice({"adam": 0.9})
