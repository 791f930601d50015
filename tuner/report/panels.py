"""The objective against each searched hyperparameter: a small panel for every one."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import polars as pl

from tuner.analysis.ranking import BROKEN
from tuner.report.axes import ROOM, Axis
from tuner.report.colours import BROKEN as RED
from tuner.report.colours import INK
from tuner.report.drawing import Drawing, blank, scale
from tuner.report.markup import label, plain
from tuner.report.material import Material
from tuner.report.words import count, short, shown
from tuner.study.space import hangs_on

HEIGHT = 250
MANY = 300  # trials; more are drawn smaller and fainter
JITTER = 0.5  # of the distance between two choices
GOLDEN = 0.618034  # successive multiples of it fill an interval evenly

SYMBOLS = {"begun": "circle", "promoted": "diamond", "worse": "triangle-up-open"}


def panels(material: Material) -> list[Drawing]:
    """A panel for every searched hyperparameter, in the order of declaration."""
    return [
        panel(material, f"panel-{i}", name, domain)
        for i, (name, domain) in enumerate(material.searched.items())
    ]


def panel(
    material: Material, place: str, name: str, domain: Mapping[str, Any]
) -> Drawing:
    """The objective against one hyperparameter."""
    active = _active(material.trials, name)
    points = panel_points(active, name, domain, material.axis, material.maximize)
    nothing = {} if material.ranked.height else {"showticklabels": False}
    y = scale(material.axis) | nothing
    figure = blank(height=HEIGHT, x=_x_axis(points, domain), y=y)
    for text, series in material.series.items():
        for kind, symbol in SYMBOLS.items():
            rows = points.filter(combination=text, kind=kind)
            if rows.height:
                figure.add_trace(_markers(rows, material, name, series.colour, symbol))
    broken = points.filter(kind="broken")
    if broken.height:
        figure.add_trace(_markers(broken, material, name, RED, "x-thin-open"))
    if material.ranked.height:
        _mark_best(figure, points.filter(trial=material.ranked["trial"].first()))
    return Drawing(place, name, figure, _note(active, points, name))


def panel_points(
    trials: pl.DataFrame,
    name: str,
    domain: Mapping[str, Any],
    axis: Axis,
    maximize: bool,
) -> pl.DataFrame:
    """The trials with a place in the panel: columns `x`, `y` and `kind`.

    Trials without a result yet have none, nor those whose value the scale has not (a
    zero on a logarithmic one). A trial that broke, or is worse than the axis reaches,
    lies on the edge where the worst are.
    """
    edge = axis.at(ROOM / 2 if maximize else 1 - ROOM / 2)
    broken = pl.col("status").is_in(BROKEN)
    objective = pl.col("best_objective")
    inside = objective.is_between(axis.low, axis.high)
    kind = (
        pl.when(broken)
        .then(pl.lit("broken"))
        .when(objective.is_finite() & inside.not_())
        .then(pl.lit("worse"))
        .when(objective.is_finite() & pl.col("parent").is_null())
        .then(pl.lit("begun"))
        .when(objective.is_finite())
        .then(pl.lit("promoted"))
    )
    placed = trials.with_columns(x=_x(trials, name, domain), kind=kind)
    y = pl.when(broken | inside.not_()).then(edge).otherwise(objective)
    return placed.filter(
        pl.col("x").is_not_null(), pl.col("kind").is_not_null()
    ).with_columns(y=y)


def _active(trials: pl.DataFrame, name: str) -> pl.DataFrame:
    """The trials that have the hyperparameter."""
    choices = [pl.col(f"hp.{choice}") == value for choice, value in hangs_on(name)]
    return trials.filter(pl.lit(True), *choices)


def _x(trials: pl.DataFrame, name: str, domain: Mapping[str, Any]) -> pl.Series:
    values = trials[f"hp.{name}"]
    if domain["type"] == "choice":
        places = {value: i for i, value in enumerate(domain["values"])}
        fraction = trials["trial"] * GOLDEN % 1 - 0.5
        chosen = [places.get(value) for value in values]
        return pl.Series(chosen, dtype=pl.Float64) + JITTER * fraction
    numbers = values.cast(pl.Float64)
    if domain["log"]:
        return pl.select(pl.when(numbers > 0).then(numbers)).to_series()
    return numbers


def _x_axis(points: pl.DataFrame, domain: Mapping[str, Any]) -> dict[str, Any]:
    if domain["type"] == "choice":
        values = domain["values"]
        return {
            "range": [-0.6, len(values) - 0.4],
            "tickvals": list(range(len(values))),
            "ticktext": [label(str(value)) for value in values],
            "showgrid": False,
        }
    ends = [*points["x"], float(domain["low"]), float(domain["high"])]
    return scale(Axis(min(ends), max(ends), domain["log"]).widened())


def _markers(
    rows: pl.DataFrame, material: Material, name: str, colour: str, symbol: str
) -> go.Scatter:
    many = material.trials.height > MANY
    return go.Scatter(
        x=rows["x"].to_numpy(),
        y=rows["y"].to_numpy(),
        mode="markers",
        marker={
            "color": colour,
            "symbol": symbol,
            "size": 5 if many else 8,
            "opacity": 0.55 if many else 0.8,
            "line": {"width": 1.5 if "open" in symbol else 0},
        },
        text=[_hover(row, material, name) for row in rows.iter_rows(named=True)],
        hovertemplate="%{text}<extra></extra>",
    )


def _hover(row: Mapping[str, Any], material: Material, name: str) -> str:
    series = material.series[row["combination"]].label
    value = short(row[f"hp.{name}"])
    if row["kind"] == "broken":
        result = f"{row['status']} at step {row['diverged_step'] or row['step']}"
    else:
        objective = shown(row["best_objective"], material.form)
        result = f"{material.metric} {objective} at step {row['best_step']}"
    title = f"trial {row['trial']}" + (f", {series}" if series else "")
    return "<br>".join(plain(line) for line in (title, result, f"{name} {value}"))


def _mark_best(figure: go.Figure, best: pl.DataFrame) -> None:
    ring = {"symbol": "circle-open", "size": 15, "color": INK, "line": {"width": 1.5}}
    figure.add_trace(
        go.Scatter(
            x=best["x"].to_numpy(),
            y=best["y"].to_numpy(),
            mode="markers",
            marker=ring,
            hoverinfo="skip",
        )
    )


def _note(active: pl.DataFrame, points: pl.DataFrame, name: str) -> str:
    """What the panel leaves out, in words."""
    conditions = " and ".join(f"{choice} = {value}" for choice, value in hangs_on(name))
    only = f"Only where {conditions}. " if conditions else ""
    result = pl.col("best_objective").is_finite() | pl.col("status").is_in(BROKEN)
    lost = active.filter(result).height - points.height
    if not lost:
        return only.strip()
    return f"{only}Left out: {count(lost, 'trial')} with no place on this scale."
