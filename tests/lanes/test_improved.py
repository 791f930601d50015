"""Of lanes that have improved what is kept comes to the host, and hardly any other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuner.lanes import improved

SIZES = [
    # lanes  pieces
    (1, [1]),
    (2, [1, 1]),
    (5, [1, 1, 2, 1]),
    (8, [1, 1, 2, 4]),
]


@pytest.mark.parametrize(("lanes", "sizes"), SIZES)
def test_a_piece_is_as_large_as_all_before_it(lanes, sizes):
    assert improved.piece_sizes(lanes) == sizes


NEEDED = [
    # which have improved, on two devices      pieces
    ([[0, 0, 0, 0, 0], [0, 0, 0, 0, 0]], 0),
    ([[0, 0, 0, 0, 1], [0, 1, 0, 0, 0]], 1),
    ([[0, 0, 0, 0, 0], [0, 1, 1, 0, 0]], 2),
    ([[1, 0, 1, 1, 0], [0, 1, 1, 0, 0]], 3),
    ([[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], 4),
]


@pytest.mark.parametrize(("flags", "pieces"), NEEDED)
def test_the_device_with_most_of_them_decides(flags, pieces):
    assert improved.num_needed(np.array(flags, bool)) == pieces


@given(better=st.integers(1, 9).flatmap(lambda n: arrays(bool, (2, n))))
def test_the_rows_of_those_that_have_improved_come_back(better):
    lanes = better.shape[1]
    kept = {"w": np.arange(2 * lanes * 3).reshape(2, lanes, 3)}
    kept["b"] = kept["w"][..., 0] + 0.5
    of_devices = [
        improved.in_pieces(
            {"w": jnp.asarray(kept["w"][d]), "b": jnp.asarray(kept["b"][d])},
            jnp.asarray(better[d]),
        )
        for d in range(2)
    ]
    pieces = [  # of all devices, as `shard_map` joins them
        jax.tree.map(lambda a, b: np.concatenate([a, b]), *both)
        for both in zip(*of_devices, strict=True)
    ][: improved.num_needed(better)]
    if not better.any():
        assert pieces == []
        return
    for name, rows in improved.joined(pieces, better).items():
        np.testing.assert_array_equal(rows, kept[name][better])
