"""Plain values: what a configuration holds, its numbers Python's own and finite.

All of them can be written as JSON and be part of a key; NumPy's numbers are taken in.
"""

import math
import numbers
from typing import Any

from tuner.study.text import check_text

Value = int | float | str | bool | tuple[Any, ...] | None


def plain(name: str, value: Any) -> Value:
    """An int, float, str, bool, None, or a tuple of those."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        check_text(name, value)
        return str.__str__(value)  # the text alone of a subclass, such as NumPy's
    if isinstance(value, tuple):
        return tuple(plain(name, item) for item in value)
    if isinstance(value, numbers.Integral):
        return whole(name, value)
    if isinstance(value, numbers.Real):
        return number(name, value)
    raise TypeError(
        f"`{name}` must be a plain value (int, float, str, bool, None, or a tuple of "
        f"those), but got {value!r}"
    )


def number(name: str, value: Any) -> float:
    """A finite number, whole ones among them, as a float."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a number, but got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be finite, but got {value!r}")
    return float(value)


def whole(name: str, value: Any) -> int:
    """A whole number as an int; 3.0 is none, for nothing here rounds."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a whole number, but got {value!r}")
    return int(value)
