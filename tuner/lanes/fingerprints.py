"""Fingerprints of a task's functions, each traced alone for one trial.

A function is lowered for the CPU, whatever the devices are, and the text is hashed. It
is the same in every process, wherever the code lies, and whatever its inner functions
are called. It is another under another version of JAX, Optax or Flax, so only those of
equal versions are compared. What a callback to the host does is not seen.
"""

import dataclasses
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from tuner.lanes.check import without_addresses
from tuner.lanes.lowering import as_jax_does
from tuner.lanes.state import KEYS
from tuner.lanes.trial import Group
from tuner.study.hyperparams import Hyperparams
from tuner.study.pieces import trace_apart, types_of
from tuner.study.source import Source

LARGE = 64  # numbers of a constant that are hashed rather than printed
DIGITS = 16  # hexadecimal, of a fingerprint
STATE = "state"  # the fingerprint of what a step carries on: its leaves' types


def fingerprints(groups: Mapping[str, Group]) -> dict[str, dict[str, str]]:
    """Of each function, by name, one for each program: `{"loss": {"all": ...}}`.

    A function that reads none of the static values in which two programs differ, and is
    given the same types, is traced once for both.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict)
    known: dict[tuple, list[_Seen]] = defaultdict(list)
    for program, group in groups.items():
        tracer = _Tracer(group, known)
        key = jax.eval_shape(lambda: jax.random.key(0, impl=KEYS))
        state = trace_apart(group.task, tracer.trace, key, _inputs(group))
        for name, texts in tracer.hashes.items():
            found[name][program] = _hash("\n".join(texts))
        found[STATE][program] = _hash(_typed(state))
    return dict(found)


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What came of tracing a function, and the static values that it looked at."""

    read: Mapping[str, str]
    hash: str
    out: Any


class _Tracer:
    """Traces functions of one program, or knows them from another."""

    def __init__(self, group: Group, known: dict[tuple, list[_Seen]]) -> None:
        self._group, self._known = group, known
        self._traced = {
            name: jax.ShapeDtypeStruct((), dtype)
            for name, dtype in group.traced.items()
        }
        self.hashes: dict[str, list[str]] = defaultdict(list)

    def trace(self, name: str, function: Any, *types: Any) -> Any:
        """Trace `function(hyperparams, *types)`; the types of what it returns."""
        given = name, len(self.hashes[name]), _typed((self._traced, types))
        static = {name: repr(value) for name, value in self._group.static.items()}
        for seen in self._known[given]:
            if seen.read.items() <= static.items():
                break
        else:
            seen = self._lower(name, function, types)
            self._known[given].append(seen)
        self.hashes[name].append(seen.hash)
        return seen.out

    def _lower(self, name: str, function: Any, types: tuple) -> _Seen:
        static, watched = self._group.static, []

        def alone(traced, rates, *given):
            watched.append(_Watched({**static, **traced, **rates}))
            return function(watched[-1], *given)

        names = () if name == "init" else self._group.scheduled[1:]
        rates = {name: jax.ShapeDtypeStruct((), np.float32) for name in names}
        traced = jax.jit(alone).trace(self._traced, rates, *types)
        read = {name for hyperparams in watched for name in hyperparams._read}
        return _Seen(
            {n: repr(value) for n, value in static.items() if n.split(".")[0] in read},
            _hash(_text(traced)),
            types_of(traced.out_info),
        )


class _Watched(Hyperparams):
    """Remembers which of its names were read."""

    __slots__ = ("_read",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_read", set())
        super().__init__(values)

    def __getattr__(self, name: str) -> Any:
        self._read.add(name)
        return super().__getattr__(name)

    def replace(self, **scheduled: Any) -> Hyperparams:
        """A copy, of which anything may be read."""
        self._read.update(name.split(".")[0] for name in self._values)
        return super().replace(**scheduled)


def _inputs(group: Group) -> tuple:
    """The types of what a step is given: a batch, if there are any, and a rate."""
    rate = jax.ShapeDtypeStruct((), np.float32)
    train = group.task.train
    if train is None:
        return (rate,)
    if isinstance(train, Source):
        return group.batch_type, rate
    size = group.tick_examples
    batch = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype), train.tree
    )
    return batch, rate


def _text(traced: Any) -> str:
    """What a traced function computes.

    A kernel that is written for a GPU cannot be lowered for a CPU, and says so in many
    ways. The function is then known by its jaxpr, which may differ more often.
    """
    try:
        with as_jax_does():
            module = traced.lower(lowering_platforms=("cpu",)).compiler_ir()
    except Exception:
        return without_addresses(f"{traced.jaxpr}")
    return "\n".join(_texts(module))


def _texts(module: Any) -> Iterator[str]:
    """A lowered program: its text without the names of its functions, large constants.

    Those would be printed digit by digit, twice their size.
    """
    text = module.operation.get_asm(large_elements_limit=LARGE)
    names = dict.fromkeys(re.findall(r'func\.func \w+ (@"[^"]*"|@[\w.$-]+)', text))
    places = {name: f"@{place}" for place, name in enumerate(names)}
    yield re.sub(r'@"[^"]*"|@[\w.$-]+', lambda m: places.get(m[0], m[0]), text)
    if "__elided__" in text:
        yield from map(_constant, _constants(module.operation))


def _constants(operation: Any) -> Iterator[Any]:
    """The operations that are constants, in the order of the text."""
    if "value" in operation.attributes:
        yield operation
    for region in operation.regions:
        for block in region.blocks:
            for inner in block.operations:
                yield from _constants(inner.operation)


def _constant(operation: Any) -> str:
    try:
        array = np.ascontiguousarray(operation.attributes["value"])
    except TypeError:  # of 16-bit floats and complex numbers MLIR makes no array
        return str(operation)
    return hashlib.sha256(array.view(np.uint8).data if array.size else b"").hexdigest()


def _typed(tree: Any) -> str:
    """The structure of a tree, and the types of its leaves."""
    leaves, structure = jax.tree.flatten(tree)
    return f"{structure} {[(str(leaf.dtype), leaf.shape) for leaf in leaves]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
