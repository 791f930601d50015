"""Text that others wrote, as it may be shown: characters that act are written out.

A terminal obeys control characters, and characters that turn the direction of writing
make a text look like another. Names, goals and notes may hold any of them.
"""

import re

ACTING = re.compile(
    r"[\x00-\x1f\x7f-\x9f"  # control characters, old and new
    r"\u2028\u2029"  # ends of lines and paragraphs
    r"\u202a-\u202e\u2066-\u2069"  # turn the direction, for more than a word
    r"\ud800-\udfff]"  # halves of a character, which no encoding has
)
LAID_OUT = "\n\t"


def printable(text: str, *, lines: bool = False) -> str:
    r"""Text in which no character acts: such are written as Python would.

    Args:
        text: any.
        lines: leave ends of lines and tabs.

    Examples:
        >>> print(printable("red \x1b[31m, and a \nline"))
        red \x1b[31m, and a \nline
    """

    def written(match: re.Match[str]) -> str:
        character = match[0]
        if lines and character in LAID_OUT:
            return character
        return character.encode("unicode_escape").decode("ascii")

    return ACTING.sub(written, text)


def check_text(name: str, text: str) -> None:
    """Refuse what is no text, and text that cannot be stored.

    Raises:
        TypeError: for what is no text.
        ValueError: for half a character of two, as wrong decoding leaves them.
    """
    if not isinstance(text, str):
        raise TypeError(f"`{name}` must be text, but got {text!r}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.start + 1]
        raise ValueError(
            f"`{name}` must be text that can be written as UTF-8, but has {half!r} at "
            f"place {error.start}: decode it by its own encoding"
        ) from None
