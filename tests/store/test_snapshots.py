import hashlib

import ml_dtypes
import numpy as np
import pytest

from tuner.store.snapshots import Entry, Stack, load, save

LEAVES = {
    "float32": np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4),
    "bfloat16": np.arange(6).reshape(3, 2).astype(ml_dtypes.bfloat16),
    "float8": np.ones((3, 2), ml_dtypes.float8_e4m3fn),
    "uint32 key": np.array([[1, 2], [3, 4], [5, 2**32 - 1]], np.uint32),
    "bool": np.array([[True], [False], [True]]),
    "one number a row": np.array([1, -2, 3], np.int32),
    "not finite": np.array([np.nan, np.inf, -0.0], np.float32),
    "not contiguous": np.arange(12.0).reshape(4, 3).T,
    "no elements": np.zeros((3, 0, 2), np.float32),
    "no elements, bfloat16": np.zeros((3, 0), ml_dtypes.bfloat16),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> dict[str, np.ndarray]:
    return saved_and_loaded(tmp_path_factory.mktemp("snapshots"), LEAVES)


def saved_and_loaded(folder, arrays):
    """Of two stacks, the second of one row."""
    rows = len(next(iter(arrays.values()), [0]))
    stacks = [of_rows(arrays, 0, rows - 1), of_rows(arrays, rows - 1, rows)]
    sha256 = save(folder / "1.npz", stacks)
    data = (folder / "1.npz").read_bytes()
    assert hashlib.sha256(data).hexdigest() == sha256
    return load(data)


def of_rows(arrays, first, last):
    entries = [Entry(trial=i, what="last", step=5) for i in range(first, last)]
    cut = {leaf: array[first:last] for leaf, array in arrays.items()}
    return Stack(entries=tuple(entries), arrays=cut)


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_leaf_comes_back_bit_for_bit(loaded, leaf):
    saved, restored = LEAVES[leaf], loaded[leaf]
    assert type(restored) is np.ndarray
    assert (restored.dtype, restored.shape) == (saved.dtype, saved.shape)
    assert restored.tobytes() == saved.tobytes()


def test_no_leaf_is_added(loaded):
    assert loaded.keys() == LEAVES.keys()


def test_numpy_alone_reads_it(tmp_path):
    saved_and_loaded(tmp_path, LEAVES)
    with np.load(tmp_path / "1.npz") as arrays:
        assert arrays["float32"].tolist() == LEAVES["float32"].tolist()
        (kind,) = arrays["bfloat16"].dtype.names
        assert arrays["bfloat16"].view(kind).tolist() == LEAVES["bfloat16"].tolist()


def test_any_text_is_a_path_of_a_leaf(tmp_path):
    leaves = ["a", "a/b", "a.b", "['a']['b']", ".c", "é %20", "", "file", "a.npy"]
    arrays = {leaf: np.array([i]) for i, leaf in enumerate(leaves)}
    assert saved_and_loaded(tmp_path, arrays) == arrays


@pytest.mark.parametrize("arrays", [{}, {"w": np.zeros((2, 0))}])
def test_states_without_elements_come_back(tmp_path, arrays):
    loaded = saved_and_loaded(tmp_path, arrays)
    assert {leaf: a.shape for leaf, a in loaded.items()} == {
        leaf: a.shape for leaf, a in arrays.items()
    }


@pytest.mark.parametrize("shape", [(), (1,), (3, 2)])
def test_a_stack_refuses_a_false_first_axis(shape):
    entries = (
        Entry(trial=1, what="best", step=5),
        Entry(trial=2, what="best", step=6),
    )
    message = (
        r"`array.shape\[0\] == len\(entries\)` must hold for every leaf, but got"
        r" \(leaf='w', shape=\(.*\), entries=2\)"
    )
    with pytest.raises(ValueError, match=message):
        Stack(entries=entries, arrays={"w": np.zeros(shape)})


def test_an_unknown_kind_of_state_is_refused():
    with pytest.raises(ValueError, match=r"`what` must be one of 'best', .*'bets'"):
        Entry(trial=1, what="bets", step=5)
