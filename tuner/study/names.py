"""Names that nobody knows: the errors that refuse one list the known, nearest first."""

import difflib
from collections.abc import Iterable


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence that refuses `name`: `what` it should have been, and what there is.

    Examples:
        >>> unknown("decay", "liner", ["cosine", "linear"])
        "unknown decay 'liner': did you mean 'linear'? Known: 'linear', 'cosine'"
    """
    ranked = nearest_first(name, known)
    question = f": did you mean {ranked[0]!r}?" if ranked else "."
    listed = ", ".join(map(repr, ranked)) or "none"
    return f"unknown {what} {name!r}{question} Known: {listed}"


def nearest_first(name: str, known: Iterable[str]) -> list[str]:
    """The known names, those most like `name` before the others."""

    def difference(other: str) -> float:
        return 1 - difflib.SequenceMatcher(None, str(name), other).ratio()

    return sorted(known, key=difference)
