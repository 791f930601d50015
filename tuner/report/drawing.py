"""What all figures have in common: quiet axes, one font, colours by meaning."""

import math
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from tuner.report.axes import Axis
from tuner.report.colours import GRID, INK, MUTED, PAPER

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
CLEAR = "rgba(0,0,0,0)"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Drawing:
    """A figure with its words.

    Attributes:
        name: of its place on the page.
        title: a few words above it.
        figure: what Plotly draws.
        note: a sentence below it, where it needs one.
    """

    name: str
    title: str
    figure: go.Figure
    note: str = ""


def blank(
    *, height: int, x: dict[str, Any], y: dict[str, Any], right: int = 12
) -> go.Figure:
    """A figure without its traces.

    Args:
        height: in pixels; the width is the page's business.
        x: the axis, as Plotly takes it.
        y: likewise.
        right: the margin for labels, in pixels.
    """
    quiet = {
        "showgrid": True,
        "gridcolor": GRID,
        "zeroline": False,
        "automargin": True,
        "title": {"standoff": 6, "font": {"size": 12}},
    }
    return go.Figure(
        layout={
            "template": {},
            "height": height,
            "margin": {"l": 8, "r": right, "t": 10, "b": 8},
            "font": {"family": FONT, "size": 12, "color": MUTED},
            "paper_bgcolor": CLEAR,
            "plot_bgcolor": CLEAR,
            "showlegend": False,
            "hovermode": "closest",
            "hoverlabel": {
                "bgcolor": PAPER,
                "bordercolor": GRID,
                "font": {"family": FONT, "size": 13, "color": INK},
                "align": "left",
            },
            "xaxis": quiet | x,
            "yaxis": quiet | y,
        }
    )


def scale(axis: Axis) -> dict[str, Any]:
    """An axis as Plotly takes it: by logarithms, its ends are exponents."""
    if not axis.log:
        return {"type": "linear", "range": [axis.low, axis.high], "nticks": 6}
    low, high = math.log10(axis.low), math.log10(axis.high)
    return {"type": "log", "range": [low, high], "tickangle": 0, **_ticks(low, high)}


def _ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks at powers of ten, at most five; between them too where there are few."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    decades = [power for power in powers if low <= power <= high]
    if len(decades) > 2:
        decades = decades[:: math.ceil(len(decades) / 5)]
        is_plain = decades[0] >= -3 and decades[-1] <= 3
        text = [f"{10.0**n:g}" if is_plain else _power(n) for n in decades]
        return {"tickvals": [10.0**n for n in decades], "ticktext": text}
    between = [m * 10.0**n for n in powers for m in (1, 2, 5)]
    shown = [value for value in between if low <= math.log10(value) <= high]
    return {"tickvals": shown, "ticktext": [f"{value:g}" for value in shown]}


def _power(exponent: int) -> str:
    return "10" + str(exponent).translate(RAISED)
