"""Blocks that the page is built of: sections, tables, code, figures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from tuner.report.drawing import Drawing
from tuner.report.markup import Html, data, element
from tuner.report.material import Series

Columns = Mapping[str, Callable[[Mapping[str, Any]], str]]


def section(title: str, said: str | None, *inside: Html) -> Html:
    """A part of the page, with a sentence or two below its title."""
    note = element("p", said, class_="note") if said else None
    return element("section", element("h2", title), note, *inside)


def table(rows: pl.DataFrame, columns: Columns) -> Html:
    """A row for each of a frame's, the text of each cell made from it."""
    heads = [element("th", name, scope="col") for name in columns]
    body = [
        element("tr", *[element("td", cell(row)) for cell in columns.values()])
        for row in rows.iter_rows(named=True)
    ]
    inside = element("thead", element("tr", *heads)), element("tbody", *body)
    return element("div", element("table", *inside), class_="scroll", tabindex="0")


def terms(named: Mapping[str, str], class_: str) -> Html:
    """Names and what they stand for."""
    pairs = [
        element("div", element("dt", name), element("dd", text))
        for name, text in named.items()
    ]
    return element("dl", *pairs, class_=class_)


def chip(series: Series) -> Html:
    """The name of a series beside its colour."""
    own = f"--own: var(--series-{series.index})"
    return element("span", series.label, class_="chip", style=own)


def code(*lines: str) -> Html:
    """Lines to copy."""
    return element("pre", element("code", "\n".join(lines)), tabindex="0")


def grid(drawings: Sequence[Drawing], size: str) -> Html:
    """Figures side by side, "small", "medium" or "large"."""
    return element("div", *map(_figure, drawings), class_=f"grid {size}")


def _figure(drawing: Drawing) -> Html:
    """A place for a figure, and what is drawn there as data."""
    text = str(drawing.figure.to_json())
    return element(
        "figure",
        element("figcaption", drawing.title),
        element("div", class_="plot", data_figure=drawing.name),
        element("script", data(text), type="application/json", id=drawing.name),
        element("p", drawing.note, class_="note") if drawing.note else None,
    )
