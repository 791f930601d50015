"""HTML by construction: text is escaped unless it is markup already."""

import html

from tuner.study.text import printable

LONGEST = 24  # letters of a label
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


class Html(str):
    """Text that is markup."""

    __slots__ = ()


def element(tag: str, *children: str | None, **attributes: str | None) -> Html:
    """An element with its children, those that are not `Html` escaped.

    Args:
        tag: its name.
        *children: what is inside, in order; None is nothing.
        **attributes: `class_` is `class`, `data_figure` is `data-figure`; None is none.

    Examples:
        >>> element("p", "a < b ", element("b", "!"), class_="note")
        '<p class="note">a &lt; b <b>!</b></p>'
    """
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag == "meta":
        return Html(f"<{tag}{named}>")
    return Html(f"<{tag}{named}>{join(*children)}</{tag}>")


def join(*children: str | None) -> Html:
    """Children one after another, those that are not `Html` escaped."""
    return Html("".join(_escaped(child) for child in children if child is not None))


def plain(text: str) -> str:
    """Text for a figure: Plotly reads tags in it, and dollars as formulas."""
    return _as_text(text).replace("$", "&#36;")


def label(text: str) -> str:
    """Text for a place in a figure where there is little room."""
    is_long = len(text) > LONGEST
    return plain(text[: LONGEST - 1] + ELLIPSIS if is_long else text)


def data(text: str) -> Html:
    """JSON for the inside of a `<script>`, which no text in it can end."""
    return Html(text.replace("<", "\\u003c"))


def _escaped(child: str) -> str:
    return child if isinstance(child, Html) else _as_text(child)


def _as_text(text: str) -> str:
    """Neither tags nor characters that act on what stands beside them."""
    return html.escape(printable(text, lines=True), quote=False)
