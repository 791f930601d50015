import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.study.data import Arrays, narrow

NAN, INF = np.nan, np.inf

# Known answers


def test_two_arrays_are_a_pair():
    x, y = np.ones((3, 2), np.float32), np.arange(3, dtype=np.int32)
    pair = Arrays(x, y).tree
    assert isinstance(pair, tuple)
    assert [leaf.tolist() for leaf in pair] == [x.tolist(), y.tolist()]


def test_one_array_is_itself():
    assert Arrays(np.array([1.0, 2.0])).tree.tolist() == [1, 2]


def test_a_tree_keeps_its_structure():
    tree = Arrays({"text": np.zeros((5, 8)), "label": np.zeros(5)}).tree
    assert jax.tree.map(np.shape, tree) == {"text": (5, 8), "label": (5,)}


def test_the_length_is_the_number_of_examples():
    assert len(Arrays(np.zeros((7, 2)), np.zeros(7))) == 7


def test_shapes_are_shown_instead_of_numbers():
    arrays = Arrays(np.zeros((7, 2)), np.zeros(7, np.int64))
    assert repr(arrays) == "Arrays(('float32[7, 2]', 'int32[7]'))"


DTYPES = [
    (np.float64, np.float32),
    (np.int64, np.int32),
    (np.uint64, np.int32),
    (np.float32, np.float32),
    (np.uint8, np.uint8),
    (np.bool, np.bool),
    (jnp.bfloat16, jnp.bfloat16),
]


@pytest.mark.parametrize(("given_as", "held_as"), DTYPES)
def test_numbers_have_at_most_32_bits(given_as, held_as):
    assert Arrays(np.ones(3, given_as)).tree.dtype == held_as


def test_plain_numbers_become_arrays():
    narrowed = narrow({"scale": 0.5, "width": 3})
    assert (narrowed["scale"].dtype, narrowed["width"].dtype) == (np.float32, np.int32)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1))
def test_a_whole_number_of_32_bits_is_held_as_it_is(numbers):
    assert Arrays(np.array(numbers, np.int64)).tree.tolist() == numbers


NANS = [
    # arrays                                            NaN, floating numbers
    ((np.array([1.0, NAN, 3.0]),), 1, 3),
    ((np.array([[NAN, NAN], [0.0, INF]]), np.arange(2)), 2, 4),
    ((jnp.array([NAN, 1.0], jnp.bfloat16), np.zeros(2)), 1, 4),
]


@pytest.mark.parametrize(("arrays", "count", "total"), NANS)
def test_nan_is_counted_in_a_warning(arrays, count, total):
    rule = f"{count} of the data's {total} numbers are NaN: every trial that sees one"
    with pytest.warns(UserWarning, match=rule):
        Arrays(*arrays)


# Errors


def test_no_array_is_refused():
    with pytest.raises(ValueError, match="at least one array, but got none"):
        Arrays()


@pytest.mark.parametrize(
    ("arrays", "shapes"),
    [
        ((np.zeros((3, 2)), np.zeros(4)), "[(3, 2), (4,)]"),
        ((np.zeros((0, 2)),), "[(0, 2)]"),
        (([0.0, 1.0],), "[(), ()]"),  # a list is a tree, of numbers
        (({},), "[]"),
    ],
)
def test_arrays_without_a_common_first_axis_are_refused(arrays, shapes):
    rule = f"share a first axis of at least one example, but got the shapes {shapes}"
    with pytest.raises(ValueError, match=re.escape(rule)):
        Arrays(*arrays)


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1])
def test_a_whole_number_of_more_bits_is_refused(number):
    with pytest.raises(ValueError, match=f"fit into 32 bits, but got .*{number}"):
        Arrays(np.array([0, number]))
