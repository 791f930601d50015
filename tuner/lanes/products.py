"""Gradients of matrix products on CPU, the smaller of their operands transposed.

Where `x` has an axis of examples and one of positions, the gradient of `x @ w` by `w`
is a product that sums over both. To be computed, either `x` or the gradient `g` of
`x @ w` has to be transposed, and JAX asks for `(g.T @ x).T`. `g` is mostly what XLA:CPU
computes where it is read: here element by element in the wrong order, and once more
than without. That was a third of a transformer's step. So where `x` is no larger than
`g`, it is `x.T @ g` that is lowered. The same products are summed. (A sum over one axis
needs nothing: XLA has a kernel that reads its operands as they are.)
"""

import math
from typing import Any

import jax
from jax import lax
from jax.interpreters import mlir

try:  # JAX has no public name for what it lowers a product by
    from jax._src.lax.lax import _dot_general_lower as plain
except ImportError:
    plain = None

PRIMITIVE = lax.dot_general_p
PRIVATE_NAME = "jax._src.lax.lax._dot_general_lower"
WHAT = "gradients of matrix products"


def lower(context: Any, lhs: Any, rhs: Any, **options: Any) -> Any:
    """As JAX does, its operands exchanged where that is better."""
    shapes = (aval.shape for aval in context.avals_in)
    if _is_better_exchanged(*shapes, **options):
        return _exchanged(context, lhs, rhs, **options)
    return lower_plainly(context, lhs, rhs, **options)


def lower_plainly(context: Any, lhs: Any, rhs: Any, **options: Any) -> Any:
    """As JAX does."""
    assert plain is not None
    return plain(context, lhs, rhs, platform="cpu", **options)


def _is_better_exchanged(
    lhs: tuple[int, ...],
    rhs: tuple[int, ...],
    *,
    dimension_numbers: Any,
    precision: Any,
    out_sharding: Any,
    **_: Any,
) -> bool:
    """Whether both sum over their first axes, and the right one is no larger.

    An algorithm or a sharding that was asked for tells the operands apart: those stay.
    """
    (lhs_summed, rhs_summed), (lhs_batch, rhs_batch) = dimension_numbers
    batches, kept = len(lhs_batch), len(lhs_batch) + len(lhs_summed)
    first = tuple(range(batches)), tuple(range(batches, kept))
    return (
        len(lhs_summed) > 1
        and (tuple(lhs_batch), tuple(lhs_summed)) == first
        and (tuple(rhs_batch), tuple(rhs_summed)) == first
        and 1 < math.prod(rhs[kept:]) <= math.prod(lhs[kept:])
        and (precision is None or isinstance(precision, tuple))
        and (out_sharding is None or not any(out_sharding.spec))
    )


def _product(
    lhs: jax.Array,
    rhs: jax.Array,
    *,
    dimension_numbers: Any,
    precision: Any,
    **options: Any,
) -> jax.Array:
    """The same product, the right one's transpose on the left."""
    (lhs_summed, _), (batch, _) = dimension_numbers
    batches, summed = len(batch), len(lhs_summed)
    kept = rhs.ndim - batches - summed
    out = PRIMITIVE.bind(
        lax.transpose(rhs, _behind(batches, summed, kept)),
        lhs,
        dimension_numbers=(
            (tuple(range(batches + kept, rhs.ndim)), lhs_summed),
            (batch, batch),
        ),
        precision=precision and precision[::-1],
        **options,
    )
    return lax.transpose(out, _behind(batches, kept, out.ndim - batches - kept))


def _behind(batches: int, first: int, second: int) -> list[int]:
    """The axes, after the batches the second before the first."""
    a, b = batches + first, batches + first + second
    return [*range(batches), *range(a, b), *range(batches, a)]


_exchanged = mlir.lower_fun(_product, multiple_results=False)
