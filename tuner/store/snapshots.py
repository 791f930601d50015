"""States of trials on disk: one Orbax save for a stack of many trials.

A save costs 50 ms whether it holds one trial or sixty-four, so states are saved stacked
and read by indexing the stack. What is saved are NumPy arrays under the paths of their
leaves: JAX arrays would come back only on the devices they were saved from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuner.store.names import check_known

FOLDER = "snapshots"
WHATS = ("best", "last", "branch", "branch_best", "running")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One state of one trial, after `step` updates, and what it is kept as.

    `branch_best` is what was best at the branch step, where that is a state of its own.
    """

    trial: int
    what: str
    step: int

    def __post_init__(self) -> None:
        check_known("what", self.what, WHATS)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """States of several trials: row i of every array belongs to `entries[i]`.

    Attributes:
        entries: whose states these are.
        arrays: path of the leaf -> [rows, ...].
    """

    entries: tuple[Entry, ...]
    arrays: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        rows = len(self.entries)
        for leaf, array in self.arrays.items():
            if array.shape[:1] != (rows,):
                raise ValueError(
                    "`array.shape[0] == len(entries)` must hold for every leaf, but"
                    f" got (leaf={leaf!r}, shape={array.shape}, entries={rows})"
                )


def save(folder: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Saves arrays as a new folder.

    Returns:
        The leaves without elements, which Orbax refuses: {leaf: {shape, dtype}}.
    """
    full = {leaf: array for leaf, array in arrays.items() if array.size}
    if full:
        _save(folder, full)
    else:
        folder.mkdir()
    return {
        leaf: {"shape": list(array.shape), "dtype": str(array.dtype)}
        for leaf, array in arrays.items()
        if not array.size
    }


def _save(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Leaves an Orbax checkpoint of arrays, to which nobody writes meanwhile."""
    import jax  # here, because it takes long
    import orbax.checkpoint as ocp

    handlers = ocp.type_handlers
    uncopied = handlers.NumpyHandler(deepcopy_host_arrays=False)
    registry = handlers.create_type_handler_registry(
        (np.ndarray, uncopied), (jax.Array, handlers.ArrayHandler())
    )
    # Trained numbers hardly compress, and trying costs a third of a save.
    handler = ocp.PyTreeCheckpointHandler(
        use_compression=False, type_handler_registry=registry
    )
    with ocp.Checkpointer(handler) as checkpointer:
        checkpointer.save(folder.absolute(), args=ocp.args.PyTreeSave(arrays))


def load(folder: Path, empty: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns what was saved; `empty` are the leaves that `save` returned."""
    import orbax.checkpoint as ocp  # here, because it imports JAX

    arrays = {
        leaf: np.zeros(note["shape"], note["dtype"]) for leaf, note in empty.items()
    }
    if folder.is_dir() and any(folder.iterdir()):
        with ocp.StandardCheckpointer() as checkpointer:
            arrays |= checkpointer.restore(folder.absolute())
    return arrays
