"""Convolutions on CPU, each in a form for which XLA has a fast kernel.

XLA:CPU brings the dimensions of a convolution into the order that its kernels want only
outside of loops (https://github.com/jax-ml/jax/issues/12868). A training program is a
loop, and gradients of convolutions come in other orders: there a naive kernel takes
them. Under `vmap` the convolutions of several lanes become one with a group for each,
which costs as many times more than it should. So here a convolution is put in order as
it is lowered, and one of a few groups becomes that many convolutions.

Nothing changes but the order of sums, so the last bits.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.interpreters import mlir

try:  # JAX has no public name for what it lowers a convolution by
    from jax._src.lax.convolution import _conv_general_dilated_lower as plain
except ImportError:
    plain = None

PRIMITIVE = lax.conv_general_dilated_p
PRIVATE_NAME = "jax._src.lax.convolution._conv_general_dilated_lower"
WHAT = "convolutions (https://github.com/jax-ml/jax/issues/12868)"

# Measured at 3x3 kernels, batch 64: 4 groups of 16 -> 32 features apart take a quarter
# to a tenth of their time together. Every group costs some 30 ms of compilation.
MOST_APART = 16


def lower(context: Any, lhs: Any, rhs: Any, **options: Any) -> Any:
    """As JAX does, where the convolution is in order and in one piece already.

    A sharding that was asked for is of the order that was asked for, which stays.
    """
    in_order = options["dimension_numbers"] == _order(len(context.avals_in[0].shape))
    apart = _apart(context.avals_in[1].shape, **options)
    sharding = options.get("out_sharding")
    if (in_order and not apart) or (sharding is not None and any(sharding.spec)):
        return lower_plainly(context, lhs, rhs, **options)
    return _rewritten(context, lhs, rhs, **options)


def lower_plainly(context: Any, lhs: Any, rhs: Any, **options: Any) -> Any:
    """As JAX does."""
    assert plain is not None
    return plain(context, lhs, rhs, expand_complex_convolutions=True, **options)


def _order(rank: int) -> lax.ConvDimensionNumbers:
    """An image is [batch, *space, features], a kernel [*space, in, out].

    JAX's numbers name the places of batch, features and space, and of out, in and
    space.
    """
    image = (0, rank - 1, *range(1, rank - 1))
    kernel = (rank - 1, rank - 2, *range(rank - 2))
    return lax.ConvDimensionNumbers(image, kernel, image)


def _apart(
    kernel: tuple[int, ...],
    *,
    dimension_numbers: lax.ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    **_: Any,
) -> bool:
    """Whether to compute its groups one by one.

    Not where a group is one feature from one: those are faster together.
    """
    groups = feature_group_count * batch_group_count  # one of them is 1
    features_out, features_in = (kernel[i] for i in dimension_numbers.rhs_spec[:2])
    return 1 < groups <= MOST_APART and (features_in > 1 or features_out > groups)


def _convolution(
    lhs: jax.Array,
    rhs: jax.Array,
    *,
    dimension_numbers: lax.ConvDimensionNumbers,
    **options: Any,
) -> jax.Array:
    """The same convolution: its arrays transposed, its groups apart."""
    order = _order(lhs.ndim)
    apart = _apart(rhs.shape, dimension_numbers=dimension_numbers, **options)
    lhs = _transpose(lhs, dimension_numbers.lhs_spec, order.lhs_spec)
    rhs = _transpose(rhs, dimension_numbers.rhs_spec, order.rhs_spec)
    convolve = functools.partial(PRIMITIVE.bind, dimension_numbers=order)
    if apart:
        out = _by_groups(convolve, lhs, rhs, **options)
    else:
        out = convolve(lhs, rhs, **options)
    return _transpose(out, order.out_spec, dimension_numbers.out_spec)


def _transpose(array, places, new_places):
    """What was at each of the places goes to the new place beside it."""
    source = dict(zip(new_places, places, strict=True))
    return lax.transpose(array, [source[axis] for axis in range(array.ndim)])


def _by_groups(
    convolve, lhs, rhs, *, feature_group_count, batch_group_count, **options
):
    """Each group has its share of the features in, or of the batch, and of the out."""
    groups, axis = feature_group_count, -1
    if batch_group_count > 1:
        groups, axis = batch_group_count, 0
    alone = {"feature_group_count": 1, "batch_group_count": 1, **options}
    shares = zip(jnp.split(lhs, groups, axis), jnp.split(rhs, groups, -1), strict=True)
    return jnp.concatenate([convolve(*share, **alone) for share in shares], -1)


_rewritten = mlir.lower_fun(_convolution, multiple_results=False)
