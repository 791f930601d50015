"""Numbers and lists as a reader takes them in: no digit more than the data tell."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def precision(values: np.ndarray) -> str:
    """A format in which the usual distance from the best value has three digits.

    Where all are the same the value itself has them.

    Args:
        values: the best of them first.

    Examples:
        >>> precision(np.array([0.0, 0.0034, 0.0101, 0.05, 0.9]))
        '.4f'
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return "g"
    distances = np.abs(finite - finite[0])
    apart = distances[distances > 0]
    scale = float(np.median(apart)) if len(apart) else abs(float(finite[0]))
    digits = 2 - math.floor(math.log10(scale)) if scale else 0
    return f".{max(digits, 0)}f" if digits <= 6 else ".2e"


def shown(value: float | None, form: str) -> str:
    """A number in a format, its minus a real one."""
    if value is None:
        return NOTHING
    text = f"{value:,{form}}" if form.endswith("f") else f"{value:{form}}"
    return _signed(text)


def distance(value: float, form: str) -> str:
    """How far two numbers are apart, never shown as nothing where it is something."""
    text = shown(value, form)
    return text if value == 0 or text.strip("0.") else f"{value:.1e}"


def change(value: float | None, form: str) -> str:
    """A difference with its sign."""
    if not value:
        return NOTHING if value is None else "0"
    return ("+" if value > 0 else MINUS) + distance(abs(value), form)


def short(value: Any) -> str:
    """A hyperparameter's value, floats to three digits."""
    if value is None:
        return NOTHING
    return _signed(f"{value:.3g}") if isinstance(value, float) else str(value)


def count(number: int, noun: str | None = None) -> str:
    """A count, with its noun in the right number if there is one."""
    if noun is None:
        return f"{number:,}"
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str], *, conjunction: str = "and") -> str:
    """Names in a row.

    Examples:
        >>> listed(["relu", "gelu", "tanh"])
        'relu, gelu and tanh'
    """
    *most, last = names
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def _signed(text: str) -> str:
    return text.replace("-", MINUS, 1) if text.startswith("-") else text
