"""Gradients of max-pooling on CPU, by comparisons.

JAX asks for a select-and-scatter, which XLA:CPU computes window by window: that took
three fifths of a small CNN's step. Where windows lie side by side, each element is in
one at most, and as many comparisons as a window has elements tell which of them was
chosen. Of equals it is the first, as in XLA; nothing is summed, so the numbers are the
same.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.interpreters import mlir

try:  # JAX has no public name for what it lowers the gradient by
    from jax._src.lax.windowed_reductions import (
        _select_and_scatter_add_impl as plain,
    )
except ImportError:
    plain = None

PRIMITIVE = lax.select_and_scatter_add_p
PRIVATE_NAME = "jax._src.lax.windowed_reductions._select_and_scatter_add_impl"
WHAT = "gradients of max-pooling"

MOST_COMPARED = 16  # elements of a window


def lower(context: Any, source: Any, operand: Any, **options: Any) -> Any:
    """As JAX does, unless windows lie side by side and are small."""
    if _are_side_by_side(**options):
        return _by_comparisons(context, source, operand, **options)
    return lower_plainly(context, source, operand, **options)


def lower_plainly(context: Any, source: Any, operand: Any, **options: Any) -> Any:
    """As JAX does."""
    assert plain is not None
    expanded = functools.partial(plain, expand_padding=True)
    as_in_jax = mlir.lower_fun(expanded, multiple_results=False)
    return as_in_jax(context, source, operand, **options)


def _are_side_by_side(
    *,
    select_prim: Any,
    window_dimensions: tuple[int, ...],
    window_strides: tuple[int, ...],
    padding: Any,
) -> bool:
    return (
        select_prim in (lax.ge_p, lax.le_p)
        and tuple(window_dimensions) == tuple(window_strides)
        and not np.any(padding)
        and 1 < math.prod(window_dimensions) <= MOST_COMPARED
    )


def _scattered(
    source: jax.Array,
    operand: jax.Array,
    *,
    select_prim: Any,
    window_dimensions: tuple[int, ...],
    **_: Any,
) -> jax.Array:
    """What each window is given goes to its chosen element, and zero to the others.

    Args:
        source: [windows along each axis].
        operand: [elements along each axis]; those beyond the last window get zero.
        select_prim: whether the chosen so far stays, given the next.
        window_dimensions: elements of a window along each axis.
    """
    axes = list(zip(source.shape, window_dimensions, strict=True))
    inside = [windows * elements for windows, elements in axes]
    apart = lax.slice(operand, [0] * operand.ndim, inside).reshape(
        [size for axis in axes for size in axis]
    )
    numbers = np.arange(math.prod(window_dimensions), dtype=np.int8)
    own = numbers.reshape([size for w in window_dimensions for size in (1, w)])
    behind = [2 * axis + 1 for axis in range(len(axes))]
    chosen = jnp.expand_dims(_chosen(apart, select_prim, window_dimensions), behind)
    given = jnp.where(chosen == own, jnp.expand_dims(source, behind), 0)
    beyond = np.subtract(operand.shape, inside).tolist()
    zero = jnp.zeros((), given.dtype)
    return lax.pad(given.reshape(inside), zero, [(0, size, 0) for size in beyond])


def _chosen(
    apart: jax.Array, select_prim: Any, window_dimensions: tuple[int, ...]
) -> jax.Array:
    """The number of each window's chosen element: [windows along each axis].

    Args:
        apart: [windows, elements] along each axis, one axis after the other.
        select_prim: as in `_scattered`.
        window_dimensions: as in `_scattered`.
    """
    first, *others = np.ndindex(*window_dimensions)
    best = apart[_at(first)]
    chosen = jnp.zeros(best.shape, jnp.int8)
    for number, place in enumerate(others, start=1):
        stays = select_prim.bind(best, apart[_at(place)])
        best = jnp.where(stays, best, apart[_at(place)])
        chosen = jnp.where(stays, chosen, jnp.int8(number))
    return chosen


def _at(place: tuple[int, ...]) -> tuple[slice | int, ...]:
    """The elements at a place of all windows."""
    return tuple(index for offset in place for index in (slice(None), offset))


_by_comparisons = mlir.lower_fun(_scattered, multiple_results=False)
