"""Examples held whole in memory: every trial reads the same arrays, on the device.

The order in which a trial sees them is no property of the data: it is a pure function
of the trial's key and the step.
"""

import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


class Arrays:
    """A set of examples as arrays that share their first axis.

    `Arrays(x, y)` gives batches `(x, y)`; `Arrays(tree)` gives batches of the tree's
    structure, `Arrays(x)` plain arrays. 64-bit numbers become 32-bit ones, as
    everywhere in JAX.

    Args:
        *trees: arrays, or pytrees of arrays, each [examples, ...].

    Raises:
        ValueError: where the first axes differ, or there is no example, or an integer
            does not fit into 32 bits.
    """

    def __init__(self, *trees: Any) -> None:
        if not trees:
            raise ValueError("Arrays needs at least one array, but got none")
        tree = trees[0] if len(trees) == 1 else trees
        self.tree = narrow(tree)
        sizes = {leaf.shape[:1] for leaf in jax.tree.leaves(self.tree)}
        if len(sizes) != 1 or sizes == {()} or sizes == {(0,)}:
            shapes = [leaf.shape for leaf in jax.tree.leaves(self.tree)]
            raise ValueError(
                "all arrays must share a first axis of at least one example, "
                f"but got the shapes {shapes}"
            )
        self._warn_of_nan()

    def __len__(self) -> int:
        """The number of examples."""
        return len(jax.tree.leaves(self.tree)[0])

    def __repr__(self) -> str:
        """The shapes, not the numbers."""
        shapes = jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape)}", self.tree)
        return f"Arrays({shapes})"

    def _warn_of_nan(self) -> None:
        floats = [a for a in jax.tree.leaves(self.tree) if _is_float(a)]
        count = sum(int(np.isnan(a.astype(np.float32)).sum()) for a in floats)
        if count:
            total = sum(math.prod(a.shape) for a in floats)
            warnings.warn(
                f"{count} of the data's {total} numbers are NaN: every trial that sees "
                "one diverges; drop or fill them (np.nan_to_num)",
                stacklevel=3,
            )


def narrow(tree: Any) -> Any:
    """The tree's leaves as NumPy arrays of at most 32 bits a number."""
    return jax.tree.map(narrow_leaf, tree)


def narrow_leaf(leaf: Any) -> np.ndarray:
    """The same of one leaf."""
    array = np.asarray(leaf)
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype in (np.int64, np.uint64):
        bounds = np.iinfo(np.int32)
        if array.size and not (bounds.min <= array.min() and array.max() <= bounds.max):
            raise ValueError(
                "integers must fit into 32 bits, but got values in "
                f"[{array.min()}, {array.max()}]"
            )
        return array.astype(np.int32)
    return array


def _is_float(array: np.ndarray) -> bool:
    return jnp.issubdtype(array.dtype, jnp.floating)
