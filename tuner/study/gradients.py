"""What has a gradient, and what follows one: the types that a supervised step needs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def check_loss(loss: Any) -> None:
    """Refuse a loss that has no gradient.

    Raises:
        TypeError: for what is no float, or no scalar.
    """
    kind = getattr(loss, "dtype", None)
    is_float = isinstance(loss, float) if kind is None else _is(kind, jnp.floating)
    if not is_float or np.shape(loss):
        raise TypeError(
            "loss must return a scalar float before its metrics, but returns "
            f"{_text(loss)}: take its mean, of whole numbers as floats "
            "(.astype(jnp.float32)), of complex ones jnp.abs or .real"
        )


def check_params(params: Any) -> None:
    """Refuse parameters that have no gradient.

    Raises:
        TypeError: for a leaf that is neither a float nor complex.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        kind = getattr(leaf, "dtype", None)
        if not (isinstance(leaf, float | complex) or (kind and _is(kind, jnp.inexact))):
            name = jax.tree_util.keystr(path) or "params"
            raise TypeError(
                "parameters are floats, for the loss is differentiated with respect to "
                f"all of them, but {name} is {_text(leaf)}: return "
                "tuner.Variables(params, extra), and carry it in extra"
            )


def check_optimizer(optimizer: Any) -> None:
    """Refuse what is no Optax transformation.

    Raises:
        TypeError: for what has no `init` and `update`.
    """
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        raise TypeError(
            "optimizer must return an optax.GradientTransformation, but returns "
            f"{optimizer!r}: return optax.adam(learning_rate), or another"
        )


def _is(kind: Any, of: Any) -> bool:
    return bool(jnp.issubdtype(kind, of))


def _text(value: Any) -> str:
    """What a value is, such as `int32[4]`."""
    kind = getattr(value, "dtype", None)
    if kind is None:
        return repr(value)
    return f"{kind}{list(np.shape(value))}"
