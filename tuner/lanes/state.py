"""What a lane carries from segment to segment, and its way into a snapshot and back.

Keys are carried as their raw words, so that every leaf is a plain array: it can be
indexed, copied to the host and saved like any other.
"""

import dataclasses
import math
import typing
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping as jt
import numpy as np

KEYS = "threefry2x32"  # whatever JAX's default: other bits depend on vmap neighbours


@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Pending:
    """What micro-batches have contributed to an update that is not made yet."""

    ticks: jt.Int32[jax.Array, "*lanes"]
    total: Any  # the sum of their contributions; stale where there are no ticks


@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Trained:
    """What training makes of a trial: all that a snapshot of it must hold."""

    state: Any  # the task's, keys as words
    ok: jt.Bool[jax.Array, "*lanes"]
    pending: Any  # `Pending`, or None where every tick makes an update
    best: Any  # the kept part of the best evaluation's state, or None: not carried
    best_objective: jt.Float32[jax.Array, "*lanes"]  # smaller is better
    best_step: jt.Int32[jax.Array, "*lanes"]


@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LaneState:
    """A trial in a lane; stacked, all lanes of the program."""

    key: jt.UInt32[jax.Array, "*lanes 2"]
    hyperparams: dict[str, jt.Shaped[jax.Array, "*lanes"]]  # the traced ones
    trained: Trained


def as_words(tree: Any) -> Any:
    """The tree with every typed key as its words."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if is_key(x) else x, tree)


def as_keys(like: Any, tree: Any) -> Any:
    """The inverse of `as_words`, given a tree of the original types."""
    return jax.tree.map(
        lambda kind, x: (
            jax.random.wrap_key_data(x, impl=_implementation(kind))
            if is_key(kind)
            else x
        ),
        like,
        tree,
    )


def _implementation(kind: Any) -> Any:
    """The generator of keys, of which their type alone is known."""
    return jax.random.key_impl(jnp.empty((), kind.dtype))


def is_key(leaf: Any) -> bool:
    """Whether a leaf (an array or its type) holds typed keys."""
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def flatten(tree: Any) -> dict[str, Any]:
    """The leaves by their paths, `state.params.w1`: the form of a snapshot."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {path_text(path): leaf for path, leaf in leaves}


def unflatten(like: Any, leaves: Mapping[str, np.ndarray]) -> Any:
    """A tree of the structure of `like` from the leaves of a snapshot.

    Raises:
        ValueError: where the snapshot holds another structure or other shapes.
    """
    paths, structure = jax.tree_util.tree_flatten_with_path(like)
    wanted = {path_text(path): leaf for path, leaf in paths}
    if set(wanted) != set(leaves):
        only = sorted(set(wanted) ^ set(leaves))
        raise ValueError(
            f"the snapshot holds another structure: {', '.join(only[:5])} "
            f"{'is' if len(only) == 1 else 'are'} not in both"
        )
    for name, leaf in wanted.items():
        if leaves[name].shape != leaf.shape or leaves[name].dtype != leaf.dtype:
            raise ValueError(
                f"the snapshot's {name} is {leaves[name].dtype}"
                f"{list(leaves[name].shape)}, but the task's is "
                f"{leaf.dtype}{list(leaf.shape)}"
            )
    return structure.unflatten([leaves[name] for name in wanted])


def path_text(path: tuple) -> str:
    """A leaf's path as dotted text."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def num_bytes(tree: Any) -> int:
    """The size of a tree of arrays, or of their types."""
    leaves = jax.tree.leaves(tree)
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)
