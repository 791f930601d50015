"""Colours by what they mean, by day and by night, told apart by colour-blind eyes too.

Figures are written in the colours of the day; the page's script swaps them at night.
"""

INK = "#23272e"
MUTED = "#68707c"
GRID = "#e8e8e4"
PAPER = "#fefefd"
BROKEN = "#d0202e"

SERIES = ("#0b66b0", "#d98200", "#7f1d62", "#1c9fb5", "#4b5f14")
OTHERS = "#8d939d"  # all series after those

NIGHT = {
    INK: "#e6e4df",
    MUTED: "#9aa2ad",
    GRID: "#2d3137",
    PAPER: "#16181c",
    BROKEN: "#ff5c5c",
    SERIES[0]: "#3d9be0",
    SERIES[1]: "#f2b134",
    SERIES[2]: "#d26fb0",
    SERIES[3]: "#8ceadb",
    SERIES[4]: "#c9bfff",
    OTHERS: "#7b828c",
}


def series_colour(place: int) -> str:
    """The colour of the series at a place, from 0."""
    return SERIES[place] if place < len(SERIES) else OTHERS


def style_sheet() -> str:
    """The colours as CSS variables: `--ink` and so on, `--series-0` to `--series-5`."""
    named = {
        "ink": INK,
        "muted": MUTED,
        "grid": GRID,
        "paper": PAPER,
        "broken": BROKEN,
        **{f"series-{i}": c for i, c in enumerate((*SERIES, OTHERS))},
    }
    day = "".join(f"--{name}:{c};" for name, c in named.items())
    night = "".join(f"--{name}:{NIGHT[c]};" for name, c in named.items())
    dark = "@media (prefers-color-scheme: dark)"
    return f":root{{{day}}}\n{dark}{{:root{{{night}}}}}\n"
