"""The best trials step by step; where a trial was promoted, its family's curve forks.

A curve is faint from where its learning rate has begun to decay. What a child shares
with its parent is the parent's, and drawn once.
"""

from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go
import polars as pl

from tuner.analysis.curves import mean_by_stretch, own_curves
from tuner.analysis.phases import RATE
from tuner.analysis.thinning import thin
from tuner.report.axes import Axis, axis_of, spread
from tuner.report.colours import INK, MUTED, PAPER
from tuner.report.drawing import Drawing, blank, scale
from tuner.report.markup import label, plain
from tuner.report.material import Family, Material
from tuner.report.words import count

HEIGHT = 300
SMALL = 200
MAX_ROWS = 400  # of a curve
TRAIN_LOSS = "train/loss"
FAINT = 0.45
LINE_PIXELS, LETTER_PIXELS = 15, 7


def curves(material: Material) -> list[Drawing]:
    """Of the best families the objective, the loss, and the loss in training."""
    members = _members(material.families)
    if members.is_empty():
        return []
    evaluated = material.evaluations.join(members, on="trial", how="semi")
    names = [material.metric, material.loss]
    tables = {name: evaluated for name in names if name}
    if TRAIN_LOSS in material.updates.columns:
        updates = material.whole_updates(members)
        every = material.study["eval_every"]
        tables[TRAIN_LOSS] = mean_by_stretch(updates, TRAIN_LOSS, every)
    return [
        curve(material, f"curve-{i}", name, rows.select("trial", "step", name))
        for i, (name, rows) in enumerate(tables.items())
    ]


def curve(material: Material, place: str, metric: str, whole: pl.DataFrame) -> Drawing:
    """One metric of the best families, from their whole curves."""
    families = material.families
    is_objective = metric == material.metric
    rows, note = _thinned(own_curves(whole, _members(families)), metric)
    every = material.study["eval_every"]
    if metric == TRAIN_LOSS and every > 1:
        note = f"Each point is a mean over {every} steps. {note}".strip()
    values = rows[metric].drop_nulls().to_numpy()
    axis = axis_of(values, maximize=is_objective and material.maximize)
    longest = max(len(label(family.series.label)) for family in families)
    right = 16 + LETTER_PIXELS * longest
    figure = blank(height=HEIGHT, x=_steps(rows), y=scale(axis), right=right)
    for family in families:
        for trial in family.trials.iter_rows(named=True):
            _add_branch(figure, family, trial, rows, metric)
            best = whole.filter(trial=trial["trial"], step=trial["best_step"])
            if is_objective:
                figure.add_trace(_dots(best, metric, family.series.colour, filled=True))
    _label_ends(figure, families, rows, metric, axis)
    return Drawing(place, metric, figure, note)


def schedules(material: Material) -> list[Drawing]:
    """The learning rates of every family in which a trial was promoted."""
    return [
        schedule(material, family)
        for family in material.families
        if family.trials.height > 1
    ]


def schedule(material: Material, family: Family) -> Drawing:
    """A family's learning rates, with the seams where trials were resumed."""
    whole = material.whole_updates(family.trials).select("trial", "step", RATE)
    rows = thin(own_curves(whole, family.trials), RATE, MAX_ROWS)
    top = rows.select(pl.col(RATE).max()).item() or 1.0
    rates = {"range": [-0.04 * top, 1.25 * top], "nticks": 5}
    figure = blank(height=SMALL, x=_steps(rows), y=rates, right=48)
    for trial in family.trials.iter_rows(named=True):
        _add_branch(figure, family, trial, rows, RATE)
    _label_schedules(figure, family, rows)
    first = family.trials["trial"].first()
    return Drawing(f"schedule-{first}", family.series.label, figure)


def _members(families: Iterable[Family]) -> pl.DataFrame:
    frames = [family.trials for family in families]
    return pl.concat(frames) if frames else pl.DataFrame(schema={"trial": pl.Int32})


def _thinned(own: pl.DataFrame, metric: str) -> tuple[pl.DataFrame, str]:
    """The rows that are drawn, and the words for what is not."""
    rows = thin(own, metric, MAX_ROWS)
    if rows.height == own.height:
        return rows, ""
    return (
        rows,
        f"At most {MAX_ROWS} points a trial are drawn, its extremes among them.",
    )


def _steps(rows: pl.DataFrame) -> dict[str, Any]:
    last = max(rows["step"].to_list(), default=1)
    return {"title": {"text": "step"}, "range": [0, last], "showgrid": False}


def _add_branch(
    figure: go.Figure,
    family: Family,
    trial: dict[str, Any],
    rows: pl.DataFrame,
    metric: str,
) -> None:
    """A trial's own part of its curve, and the point where it leaves its parent's."""
    own = rows.filter(trial=trial["trial"])
    colour, decay_step = family.series.colour, trial["decay_step"]
    hover = f"trial {trial['trial']}, step %{{x:,}}<br>{plain(metric)} %{{y:.4g}}"
    whole = _line(own, metric, colour, hovertemplate=hover + "<extra></extra>")
    if decay_step is not None:
        whole.opacity = FAINT
        before = own.filter(pl.col("step") <= decay_step)
        figure.add_trace(_line(before, metric, colour, hoverinfo="skip"))
    figure.add_trace(whole)
    if trial["start_step"]:
        figure.add_trace(_dots(own.head(1), metric, colour, filled=False))


def _line(rows: pl.DataFrame, metric: str, colour: str, **more: Any) -> go.Scatter:
    return go.Scatter(
        x=rows["step"].to_numpy(),
        y=rows[metric].to_numpy(),
        mode="lines",
        line={"color": colour, "width": 2},
        **more,
    )


def _dots(rows: pl.DataFrame, metric: str, colour: str, *, filled: bool) -> go.Scatter:
    return go.Scatter(
        x=rows["step"].to_numpy(),
        y=rows[metric].to_numpy(),
        mode="markers",
        marker={
            "color": colour if filled else PAPER,
            "size": 8,
            "line": {"color": colour, "width": 2},
        },
        hoverinfo="skip",
    )


def _label_ends(
    figure: go.Figure,
    families: list[Family],
    rows: pl.DataFrame,
    metric: str,
    axis: Axis,
) -> None:
    """The name of each family beside the end of its longest curve."""
    rows = rows.filter(pl.col(metric).is_finite()).sort("step")
    ends = []
    for family in families:
        own = rows.join(family.trials, on="trial", how="semi").select("step", metric)
        if own.height:
            step, value = own.row(-1)
            ends.append((family.series, step, min(max(axis.share(value), 0.0), 1.0)))
    places = spread([share for *_, share in ends], LINE_PIXELS / HEIGHT)
    for (series, step, _), place in zip(ends, places, strict=True):
        figure.add_annotation(
            text=label(series.label),
            font={"color": series.colour},
            x=step,
            xanchor="left",
            y=place,
            yref="paper",
            yanchor="middle",
            showarrow=False,
        )


def _label_schedules(figure: go.Figure, family: Family, rows: pl.DataFrame) -> None:
    """The trials' numbers where their schedules end, and where they were resumed."""
    tenth = (10 * pl.col(RATE) / pl.col(RATE).max()).round()
    ends = rows.with_columns(tenth=tenth).group_by("trial", maintain_order=True).last()
    for _, same in ends.group_by("step", "tenth", maintain_order=True):
        step, rate = same.select("step", RATE).row(0)
        figure.add_annotation(
            text=_numbers(same), x=step, y=rate, xanchor="left", showarrow=False
        )
    resumed = family.trials.filter(pl.col("start_step") > 0).sort("start_step")
    seams = resumed.partition_by("start_step", maintain_order=True)
    for same in seams:
        step = same["start_step"][0]
        verb = "resumes at" if same.height == 1 else "resume at"
        annotation = {"text": f"{_numbers(same)} {verb} {count(step)}"}
        if len(seams) > 1:  # side by side there is no room
            annotation = {"text": f"{_numbers(same)} at {count(step)}", "textangle": 90}
        figure.add_vline(
            x=step,
            line={"color": MUTED, "width": 1, "dash": "dot"},
            annotation={**annotation, "font": {"color": INK}, "xshift": 2},
            annotation_position="top right" if len(seams) == 1 else "bottom right",
        )


def _numbers(trials: pl.DataFrame) -> str:
    """The numbers of some trials, of many the first and the last."""
    first, last = trials["trial"].min(), trials["trial"].max()
    return str(first) if first == last else f"{first}\N{EN DASH}{last}"
