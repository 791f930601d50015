"""How long to train: the verdict with its evidence, and where trials were best."""

import plotly.graph_objects as go
import polars as pl

from tuner.analysis.gains import FEWEST, MATERIAL, UNDECIDED, interval
from tuner.analysis.shares import (
    EARLY,
    LATE,
    NOT_TOO_LONG,
    TOO_LONG,
    TOO_SHORT,
    HorizonAdvice,
    share_histogram,
)
from tuner.report.blocks import code
from tuner.report.colours import GRID, INK, MUTED, series_colour
from tuner.report.drawing import Drawing, blank
from tuner.report.markup import Html, element
from tuner.report.material import Material
from tuner.report.words import count

HEIGHT = 200
ROW = 56  # pixels of a kind of evidence
NAMES = {
    "two horizons": "At two horizons",
    "slope": "Late, at a high rate",
    "epochs": "Epochs seen",
}


def said_of_steps(material: Material) -> list[Html]:
    """Whether longer training would help, with the evidence, the strongest first."""
    verdict = material.steps.verdict
    known = {UNDECIDED: "Whether compute is the limit, this run cannot tell."}
    title = known.get(verdict.says, f"This study is {verdict.says}.")
    items = [
        element(
            "li",
            element("p", element("strong", f"{NAMES[each.kind]}: {each.says}. ")),
            element("p", each.text, class_="note"),
        )
        for each in verdict.evidence
    ]
    said = [
        element("p", element("strong", title), f" {verdict.to_do}"),
        element("ul", *items, class_="findings"),
    ]
    if verdict.settle:
        said += [element("p", "This would settle it:"), code(verdict.settle)]
    return said


def steps_drawn(material: Material) -> list[Drawing]:
    """Best steps of every horizon, and the gains that the verdict rests on."""
    steps = material.steps
    histogram = share_histogram(steps.shares)
    best = [
        best_steps_of(histogram.filter(max_train_steps=advice.horizon), advice)
        for advice in steps.advice
    ]
    gains = gains_of(steps.verdict.gains)
    return [*best, gains] if gains else best


def best_steps_of(histogram: pl.DataFrame, advice: HorizonAdvice) -> Drawing:
    """How many trials of a horizon were best in each part of their run."""
    x = {"range": [0, 1], "tickformat": ".0%", "showgrid": False, "dtick": 0.25}
    most = histogram["num_trials"].max()
    assert isinstance(most, int)  # a horizon has trials
    ticks = {"dtick": 1} if most <= 4 else {"nticks": 4}
    y = {"range": [0, 1.08 * most], "title": {"text": "trials"}, **ticks}
    title = {"title": {"text": "best step, share of the run"}}
    figure = blank(height=HEIGHT, x=x | title, y=y, right=24)
    for low, high in ((0, EARLY), (LATE, 1)):
        figure.add_vrect(
            x0=low, x1=high, fillcolor=GRID, opacity=0.5, line_width=0, layer="below"
        )
    width = histogram["up_to"] - histogram["above"]
    figure.add_trace(
        go.Bar(
            x=(histogram["above"] + width / 2).to_numpy(),
            y=histogram["num_trials"].to_numpy(),
            width=0.88 * width.to_numpy(),
            marker={"color": series_colour(0), "line": {"width": 0}},
            customdata=histogram.select("above", "up_to").to_numpy(),
            hovertemplate="%{y} best after %{customdata[0]:.0%}, by "
            "%{customdata[1]:.0%} of the run<extra></extra>",
        )
    )
    number = int(histogram["num_trials"].sum())
    name = f"Best steps of {count(number, 'trial')} of {count(advice.horizon)} steps"
    once = "Of one parent's children the best counts. "
    note = (once if number > advice.num_trials else "") + _note(advice)
    return Drawing(f"best-steps-{advice.horizon}", name, figure, note)


def _note(advice: HorizonAdvice) -> str:
    late = (
        f"{advice.late} of the better {advice.num_better} were best in the last quarter"
    )
    early = f"{advice.early} of {advice.num_trials} were best in the first tenth"
    return {
        TOO_LONG: f"{early}: far too many steps.",
        TOO_SHORT: f"{late}: longer training may help.",
        NOT_TOO_LONG: f"{late}. A rate that decays puts them there by itself: the run "
        "is not too long, and no more is known.",
        UNDECIDED: f"No advice from these: {advice.why}.",
    }[advice.says]


def gains_of(gains: pl.DataFrame) -> Drawing | None:
    """What each configuration gained, beside a tenth of the pace before."""
    kinds = [
        (kind, rows)
        for (kind,), rows in gains.group_by("kind", maintain_order=True)
        if rows.height >= FEWEST and rows.select(pl.col("pace").mean()).item() > 0
    ]
    if not kinds:
        return None
    title = {"text": "gain, share of the pace before"}
    x = {"tickformat": ".0%", "nticks": 6, "title": title}
    places = list(range(len(kinds)))
    y = {
        "range": [len(kinds) - 0.5, -0.5],
        "tickvals": places,
        "ticktext": [NAMES[str(kind)].lower() for kind, _ in kinds],
        "showgrid": False,
    }
    figure = blank(height=80 + ROW * len(kinds), x=x, y=y)
    figure.add_vline(x=MATERIAL, line={"color": MUTED, "width": 1, "dash": "dot"})
    for place, (_, rows) in zip(places, kinds, strict=True):
        _add_gains(figure, rows, place)
    note = (
        "Both are per doubling of the steps. A point is a configuration, a bar the "
        "mean with its 99% interval; right of the dotted line, at a tenth, training "
        "still improves."
    )
    return Drawing("gains", "What longer training gained", figure, note)


def _add_gains(figure: go.Figure, rows: pl.DataFrame, place: int) -> None:
    """The configurations of one kind of evidence, and their mean below them."""
    pace = rows.select(pl.col("pace").mean()).item()
    shares = (rows["gain"] / pace).to_numpy()
    numbers = [f"trial {trial}" for trial in rows["trial"]]
    figure.add_trace(
        go.Scatter(
            x=shares,
            y=[place - 0.12] * len(shares),
            mode="markers",
            marker={"color": series_colour(0), "size": 8, "opacity": 0.6},
            text=numbers,
            hovertemplate="%{text}: %{x:.1%}<extra></extra>",
        )
    )
    middle = float(shares.mean())
    reach = {
        "type": "data",
        "array": [interval(shares)[1] - middle],
        "thickness": 1.5,
        "width": 5,
    }
    figure.add_trace(
        go.Scatter(
            x=[middle],
            y=[place + 0.15],
            mode="markers",
            marker={"color": INK, "symbol": "line-ns", "size": 9, "line": {"width": 2}},
            error_x=reach | {"color": INK},
            hovertemplate="mean %{x:.1%}<extra></extra>",
        )
    )
