import re

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tuner
from tuner.study import source
from tuner.study.source import Source


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(source, "WAIT_SECONDS", 0.0)


class Failing:
    """Three numbers, of which some cannot be read the first few times."""

    def __init__(self, failures):
        self.failures = failures

    def __len__(self):
        return 3

    def __getitem__(self, place):
        self.failures[place] = self.failures.get(place, 0) - 1
        if self.failures[place] >= 0:
            raise ConnectionError("no answer")
        return 10.0 * place


# Grain


@pytest.fixture
def grain():
    return pytest.importorskip("grain", reason="needs the extra [grain]")


def test_a_grain_dataset_is_read_by_places(grain):
    dataset = grain.MapDataset.range(5).map(lambda i: {"x": np.full(2, i), "y": i * i})
    batch = Source(dataset).batch(np.array([[4, 0], [1, 4]], np.uint32))
    assert batch["x"].tolist() == [[[4, 4], [0, 0]], [[1, 1], [4, 4]]]
    assert batch["y"].tolist() == [[16, 0], [1, 16]]


def test_a_grain_dataset_that_is_only_iterated_is_refused(grain):
    dataset = grain.MapDataset.range(3).to_iter_dataset()
    rule = "no __len__ and no __getitem__: pass a Grain MapDataset (before to_iter_dat"
    with pytest.raises(TypeError, match=re.escape(rule)):
        Source(dataset)


def test_a_grain_dataset_that_repeats_for_ever_is_refused(grain):
    rule = "but got a dataset of 9,223,372,036,854,775,807: leave out its repeat"
    with pytest.raises(ValueError, match=rule):
        Source(grain.MapDataset.range(3).repeat())


def test_a_grain_dataset_that_filters_is_refused(grain):
    """Filtered examples are None until a dataset is only iterated."""
    dataset = grain.MapDataset.range(4).filter(lambda number: number != 2)
    rule = "example 2 is None and example 0 is int32[]: pad or cut them in the dataset"
    with pytest.raises(ValueError, match=re.escape(rule)):
        Source(dataset).load()


# Known answers


def test_anything_with_a_length_and_places_will_do():
    assert Source([3.0, 5.0, 7.0]).batch(np.array([2, 1])).tolist() == [7, 5]


def test_the_length_is_the_number_of_examples():
    assert len(Source(range(7))) == 7


def test_an_example_takes_the_bytes_of_its_arrays():
    assert Source([(np.zeros((2, 3)), 1)]).example_bytes == 4 * 6 + 4


def test_shapes_are_shown_instead_of_numbers():
    text = "Source(list, 2 examples of ('float32[3]', 'int32[]'))"
    assert repr(Source([(np.zeros(3), 1)] * 2)) == text


ARRAYS = [
    (np.arange(6.0),),
    (np.arange(12).reshape(6, 2), np.arange(6) % 2 == 0),
    ({"image": np.arange(24, dtype=np.uint8).reshape(6, 2, 2), "label": np.arange(6)},),
]


@pytest.mark.parametrize("trees", ARRAYS)
def test_all_that_is_loaded_is_what_arrays_hold(trees):
    tree = trees[0] if len(trees) == 1 else trees
    rows = [jax.tree.map(lambda a, i=i: a[i], tree) for i in range(6)]
    loaded, held = Source(rows).load(), tuner.Arrays(*trees)
    assert jax.tree.structure(loaded.tree) == jax.tree.structure(held.tree)
    for a, b in zip(*map(jax.tree.leaves, (loaded.tree, held.tree)), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1), st.data())
def test_a_batch_is_the_examples_at_its_places(numbers, data):
    places = data.draw(st.lists(st.integers(0, len(numbers) - 1), max_size=20))
    read = Source(numbers).batch(np.array(places, np.uint32))
    assert read.tolist() == [numbers[place] for place in places]


# Readings that fail


def test_a_reading_that_fails_now_and_then_is_tried_again():
    assert Source(Failing({0: 2, 1: 3}), retries=3).load().tree.tolist() == [0, 10, 20]


def test_an_example_that_cannot_be_read_is_named():
    dataset = Source(Failing({1: 4}), retries=3)
    rule = (
        "example 1 of Failing could not be read in 4 attempts, the last error was "
        "ConnectionError: no answer; mend the data or pass more retries=; a run goes on"
    )
    with pytest.raises(OSError, match=re.escape(rule)):
        dataset.batch(np.array([0, 1]))


# Errors


class Rolling:
    """Another number at every reading."""

    def __init__(self):
        self.random = np.random.default_rng(0)

    def __len__(self):
        return 3

    def __getitem__(self, place):
        return self.random.normal()


REFUSED = [
    # dataset                          error       what it says
    (iter([1]), TypeError, "list_iterator has no __len__ and no __getitem__: pass a"),
    ([], ValueError, "`1 <= examples <= 2,147,483,647` must hold, but got a dataset"),
    ({}, ValueError, "must hold, but got a dataset of 0"),
    ({"a": 1}, OSError, "example 0 of dict could not be read"),
    ([None], TypeError, "must hold arrays or numbers, but example 0 is None"),
    (["text"], TypeError, "but of example 0 it is str (<U4): turn it into numbers"),
    ([{"a": b"x"}], TypeError, "but of example 0 ['a'] is bytes (|S1)"),
    ([2**31], ValueError, "integers must fit into 32 bits"),
    (Rolling(), ValueError, "two readings of example 0 differ: make random changes"),
    (
        [np.zeros(2), np.zeros(3)],
        ValueError,
        "example 1 is float32[3] and example 0 is float32[2]: pad or cut them",
    ),
]


@pytest.mark.parametrize(("dataset", "error", "rule"), REFUSED)
def test_a_dataset_that_cannot_be_is_refused(dataset, error, rule):
    with pytest.raises(error, match=re.escape(rule)):
        Source(dataset)


UNLIKE = [
    # example 1                      how it is named
    ((np.zeros(2), 1.0), "example 1 is ('float32[2]', 'float32[]') and example 0 is ("),
    ((np.zeros(2),), "example 1 is ('float32[2]',) and example 0 is ("),
    (None, "example 1 is None and example 0 is ('float32[2]', 'int32[]')"),
]


@pytest.mark.parametrize(("example", "rule"), UNLIKE)
def test_an_example_unlike_the_first_is_refused_when_it_is_read(example, rule):
    like = (np.zeros(2), 1)
    dataset = Source([like, example, like])
    with pytest.raises(ValueError, match=re.escape(rule)):
        dataset.batch(np.array([0, 1]))


@pytest.mark.parametrize("name", ["threads", "buffer_bytes"])
def test_what_a_source_is_given_is_at_least_one(name):
    with pytest.raises(ValueError, match=f"`{name} >= 1` must hold, but got {name}=0"):
        Source([1], **{name: 0})
