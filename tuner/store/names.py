"""Names from a closed list: who mistypes one is told the known, nearest first."""

import difflib
from collections.abc import Sequence


def check_known(field: str, name: str, known: Sequence[str]) -> None:
    """Raises ValueError if `name` is none of the known names."""
    if name not in known:
        nearest_first = difflib.get_close_matches(name, known, n=len(known), cutoff=0)
        choices = ", ".join(map(repr, nearest_first))
        raise ValueError(f"`{field}` must be one of {choices}, but got {name!r}")
