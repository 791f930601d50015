"""States of trials on disk: one `.npz` file of NumPy for a stack of many trials.

Each file is flushed by itself, so states are saved stacked, and read by indexing the
stack. Its arrays have the paths of their leaves for names. NumPy's format does not know
the small numbers of `ml_dtypes`, such as bfloat16: an array of them is saved as records
of one field, named as the type is, that holds their bytes.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
from numpy.lib import format as npy

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


def alike(stacks: Iterable[Stack]) -> list[list[Stack]]:
    """Stacks that can lie in one file: of the same leaves, and to be kept as long."""
    kinds: dict[Any, list[Stack]] = {}
    for stack in stacks:
        leaves = tuple((n, a.shape[1:], a.dtype) for n, a in stack.arrays.items())
        is_running = any(entry.what == "running" for entry in stack.entries)
        kinds.setdefault((leaves, is_running), []).append(stack)
    return list(kinds.values())


def save(file: Path, stacks: Sequence[Stack]) -> str:
    """Saves stacks that are alike as a new file, and returns its sha256.

    Their rows lie one after another. What is large is read once: stacks are not joined
    before they are written, nor is the file read again to be hashed.
    """
    rows = sum(len(stack.entries) for stack in stacks)
    with file.open("wb") as stream:
        hashing = _Hashing(stream)
        with zipfile.ZipFile(hashing, "w") as archive:
            for leaf in stacks[0].arrays:
                pieces = [_as_known(stack.arrays[leaf]) for stack in stacks]
                kind = npy.dtype_to_descr(pieces[0].dtype)
                shape = (rows, *pieces[0].shape[1:])
                header = {"descr": kind, "fortran_order": False, "shape": shape}
                with archive.open(f"{leaf}.npy", "w", force_zip64=True) as member:
                    npy.write_array_header_1_0(member, header)
                    for piece in pieces:
                        member.write(np.ascontiguousarray(piece).data)
    return hashing.sha256.hexdigest()


def load(data: bytes) -> dict[str, np.ndarray]:
    """Returns the arrays, by path of the leaf; `data` is all that the file holds."""
    with np.load(io.BytesIO(data)) as arrays:
        leaves = arrays.files  # asked for by the whole names of the archive's members
        return {leaf: _as_it_was(arrays[f"{leaf}.npy"]) for leaf in leaves}


def _as_known(array: np.ndarray) -> np.ndarray:
    """The same bytes in a type that NumPy's format has."""
    dtype = array.dtype
    if dtype.isbuiltin != _ANOTHERS:
        return array
    return array.view([(dtype.name, f"V{dtype.itemsize}")])


def _as_it_was(array: np.ndarray) -> np.ndarray:
    if array.dtype.names is None:
        return array
    (name,) = array.dtype.names
    return array.view(getattr(ml_dtypes, name))


class _Hashing(io.RawIOBase):
    """A way to a stream in which nobody moves back: bytes are hashed as they come."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        """Anything that is bytes."""
        self.sha256.update(data)
        return self._stream.write(data)


_ANOTHERS = 2  # `dtype.isbuiltin` of a type that is not NumPy's own
