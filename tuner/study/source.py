"""Examples that are read one by one, for data that do not fit on a device.

An example is known by its place, and which places a step reads is a pure function of
the trial's key and the step. So the data must be of random access, and an example the
same whenever it is read; then a trial sees what it would see of the same `Arrays`.
"""

import time
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping as jt
import numpy as np

from tuner.study.data import Arrays, narrow, narrow_leaf
from tuner.study.values import whole

MOST_EXAMPLES = 2**31 - 1  # places are 32-bit numbers
WAIT_SECONDS = 0.1  # before a reading that failed is tried again; doubled each time


class UnreadableError(OSError):
    """An example that could not be read, however often it was tried.

    Attributes:
        what: which it is, and why, without the remedy.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}; mend the data or pass more retries=; a run goes on from its "
            "last commit"
        )
        self.what = what


class Source:
    """A set of examples that the host reads while the devices train.

    Several threads read at once. What an example holds is arrays or plain numbers in
    any pytree, all examples alike; 64-bit numbers become 32-bit ones.

    Args:
        dataset: a Grain `MapDataset`, or anything with `__len__` and
            `__getitem__(int)`.
        threads: how many examples are read at once.
        buffer_bytes: what batches on their way to the devices may take.
        retries: how often a reading that fails is tried again.

    Raises:
        TypeError: for data without random access, or examples that are no numbers.
        ValueError: for no example or too many, examples that are not alike or differ
            from reading to reading, or an integer that does not fit into 32 bits.
        UnreadableError: where an example cannot be read, an OSError.
    """

    def __init__(
        self,
        dataset: Any,
        *,
        threads: int = 8,
        buffer_bytes: int = 2**29,
        retries: int = 3,
    ) -> None:
        for name, value, low in (
            ("threads", threads, 1),
            ("buffer_bytes", buffer_bytes, 1),
            ("retries", retries, 0),
        ):
            if whole(name, value) < low:
                raise ValueError(f"`{name} >= {low}` must hold, but got {name}={value}")
        self.dataset, self.threads = dataset, threads
        self.buffer_bytes, self.retries = buffer_bytes, retries
        self._length = _checked_length(dataset)
        first = self._read(0)
        self._check_numbers(first)
        leaves, self._structure = jax.tree.flatten(narrow(first))
        self._types = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in leaves]
        self._kinds = [(a.shape, a.dtype) for a in leaves]
        self._check_repeatable(leaves)
        self._leaves(self._length - 1)

    def __len__(self) -> int:
        """The number of examples."""
        return self._length

    def __repr__(self) -> str:
        """What is read, how much of it, and the shapes."""
        name = type(self.dataset).__name__
        shapes = self._structure.unflatten([_text(a) for a in self._types])
        return f"Source({name}, {self._length:,} examples of {shapes})"

    @property
    def example(self) -> Any:
        """The types of one example, a tree of shapes and dtypes."""
        return self._structure.unflatten(self._types)

    @property
    def example_bytes(self) -> int:
        """What one example takes."""
        return sum(a.size * a.dtype.itemsize for a in self._types)

    def batch(self, places: jt.Integer[np.ndarray, "..."]) -> Any:
        """The examples at the given places, each array [*shape, ...].

        Raises:
            UnreadableError: where one cannot be read, however often it was tried.
            ValueError: where one is not like the first.
        """
        arrays = [np.empty((places.size, *a.shape), a.dtype) for a in self._types]
        for row, place in enumerate(places.ravel().tolist()):
            for array, leaf in zip(arrays, self._leaves(place), strict=True):
                array[row] = leaf
        shaped = [a.reshape(places.shape + a.shape[1:]) for a in arrays]
        return self._structure.unflatten(shaped)

    @property
    def answers(self) -> bool:
        """Whether an example can be read that could be when this was made."""
        return any(self._is_readable(place) for place in {0, self._length - 1})

    def load(self) -> Arrays:
        """All examples in memory: what evaluation sets are made of."""
        tree = self.batch(np.arange(self._length))
        return Arrays(*tree) if isinstance(tree, tuple) else Arrays(tree)

    def _leaves(self, place: int) -> list[np.ndarray]:
        """The arrays of an example, which are as those of the first."""
        leaves, structure = jax.tree.flatten(self._read(place))
        arrays = [narrow_leaf(leaf) for leaf in leaves]
        kinds = [(a.shape, a.dtype) for a in arrays]
        if structure != self._structure or kinds != self._kinds:
            found = structure.unflatten([_text(a) for a in arrays])
            expected = self._structure.unflatten([_text(a) for a in self._types])
            raise ValueError(
                f"all examples must be alike, but example {place} is {found} and "
                f"example 0 is {expected}: pad or cut them in the dataset, and filter "
                "before it is indexed"
            )
        return arrays

    def _read(self, place: int) -> Any:
        """An example as the dataset has it, tried several times if need be."""
        for attempt in range(self.retries):
            try:
                return self.dataset[place]
            except Exception:  # whatever a file system, a network or a decoder raises
                time.sleep(WAIT_SECONDS * 2**attempt)
        try:
            return self.dataset[place]
        except Exception as error:
            raise UnreadableError(
                f"example {place} of {type(self.dataset).__name__} could not be read "
                f"in {self.retries + 1} attempts, the last error was "
                f"{type(error).__name__}: {error}"
            ) from error

    def _is_readable(self, place: int) -> bool:
        try:
            self._read(place)
        except UnreadableError:
            return False
        return True

    def _check_numbers(self, example: Any) -> None:
        leaves, _ = jax.tree_util.tree_flatten_with_path(example)
        if not leaves:
            raise TypeError(
                f"an example must hold arrays or numbers, but example 0 is {example!r}"
            )
        for path, leaf in leaves:
            dtype = np.asarray(leaf).dtype
            if not (jnp.issubdtype(dtype, jnp.number) or dtype == np.bool):
                name = jax.tree_util.keystr(path) or "it"
                raise TypeError(
                    "an example must hold arrays or numbers, but of example 0 "
                    f"{name} is {type(leaf).__name__} ({dtype}): turn it into numbers "
                    "in the dataset, or leave it out"
                )

    def _check_repeatable(self, leaves: list[np.ndarray]) -> None:
        again = self._leaves(0)
        if any(a.tobytes() != b.tobytes() for a, b in zip(leaves, again, strict=True)):
            raise ValueError(
                "an example must be the same whenever it is read, but two readings of "
                "example 0 differ: make random changes in the task's augment=, which "
                "gets the trial's own key"
            )


def _checked_length(dataset: Any) -> int:
    """The number of examples of something that has random access."""
    kind = type(dataset)
    missing = [n for n in ("__len__", "__getitem__") if not hasattr(kind, n)]
    if missing:
        raise TypeError(
            "a dataset must have a length and be read by places, but "
            f"{kind.__name__} has no {' and no '.join(missing)}: pass a Grain "
            "MapDataset (before to_iter_dataset), or a list"
        )
    length = len(dataset)
    if not 1 <= length <= MOST_EXAMPLES:
        raise ValueError(
            f"`1 <= examples <= {MOST_EXAMPLES:,}` must hold, but got a dataset of "
            f"{length:,}: leave out its repeat and shuffle, every epoch of a trial has "
            "an order of its own"
        )
    return length


def _text(array: Any) -> str:
    return f"{array.dtype}{list(array.shape)}"
