"""What short runs foretold of long ones, which rule of extension won, what to adopt."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from tuner.analysis.adoption import Adoption, Candidate
from tuner.analysis.expectations import expectation
from tuner.analysis.extensions import broken_by_rule, compare_extensions, is_conjecture
from tuner.analysis.telling import (
    listed,
    moved,
    named,
    recheck,
    shift_verdict,
    transfer_verdict,
)
from tuner.analysis.transfer import Transfer
from tuner.report.axes import axis_of
from tuner.report.blocks import Columns, table
from tuner.report.colours import INK, series_colour
from tuner.report.drawing import Drawing, blank, scale
from tuner.report.markup import Html, element, label
from tuner.report.material import Material
from tuner.report.words import change, count

ROW = 44  # pixels of a configuration
SPREAD = 0.13  # of a row, between two runs with the same result


def foretold(material: Material) -> list[Html]:
    """Between any two rounds a verdict, and what has moved where that is known."""
    parts = []
    for found in material.transfers:
        title = f"From round {found.short} to {found.long}. "
        said = element("p", element("strong", title), transfer_verdict(found))
        parts.append(said)
        if found.shifts or found.long - found.short == 1:
            parts += _moved(found, material.searched)
    return parts


def rules_compared(material: Material) -> list[Html]:
    """Every two rules on the same parents, and what broke."""
    compared = compare_extensions(material.trials, maximize=material.maximize)
    if compared.is_empty():
        return []
    form = material.form
    columns: Columns = {
        "round": lambda row: str(row["round"]),
        "rule": lambda row: row["rule"],
        "against": lambda row: row["other"],
        "same parents": lambda row: count(row["num_parents"]),
        "difference": lambda row: change(row["difference"], form),
        "95% interval": lambda row: _interval(row["low"], row["high"], form),
        "won": lambda row: row["verdict"],
    }
    broken = broken_by_rule(material.trials).filter(pl.col("broken") > 0)
    lost = [
        f"{row['broken']} of {row['num_trials']} under {row['rule']}"
        for row in broken.to_dicts()
    ]
    notes = [f"Broken, and left out: {listed(lost)}."] if lost else []
    rules = {*compared["rule"], *compared["other"]}
    if any(map(is_conjecture, rules)):
        notes.append("LengthenConstant is the playbook's rule, and a conjecture there.")
    note = element("p", " ".join(notes), class_="note") if notes else Html("")
    return [table(compared, columns), note]


def adopted(material: Material, found: Adoption) -> list[Html]:
    """What is told of every candidate beside the baseline."""
    form = material.form
    columns: Columns = {
        "candidate": lambda row: f"trial {row['trial']}",
        "runs": lambda row: count(len(row["values"])),
        "mean difference": lambda row: change(row["difference"], form),
        "95% interval": lambda row: _interval(row["low"], row["high"], form),
        "compared": lambda row: "seed by seed" if row["paired"] else "by means",
        "verdict": lambda row: row["verdict"],
    }
    rows = pl.DataFrame([vars(candidate) for candidate in found.candidates])
    broken = f"{count(found.broken, 'run')} broke and are left out."
    note = [element("p", broken, class_="note")] if found.broken else []
    return [table(rows, columns), *note]


def every_run(material: Material, found: Adoption) -> Drawing:
    """Every run of the baseline and of each candidate, and their means."""
    rows = [(f"baseline, trial {found.baseline}", found.values)]
    rows += [(f"trial {each.trial}", each.values) for each in found.candidates]
    values = np.concatenate([values for _, values in rows])
    y = {
        "range": [len(rows) - 0.5, -0.5],
        "tickvals": list(range(len(rows))),
        "ticktext": [label(name) for name, _ in rows],
        "showgrid": False,
    }
    axis = axis_of(values, maximize=material.maximize)
    x = scale(axis) | {"title": {"text": label(material.metric)}}
    figure = blank(height=70 + ROW * len(rows), x=x, y=y, right=24)
    for place, (name, of_one) in enumerate(rows):
        figure.add_trace(_runs(name, of_one, place, series_colour(int(place > 0))))
        figure.add_trace(_mean(of_one, place))
    note = "A point is a run, a line the mean. Runs that led to the choice are out."
    return Drawing("adoption", "Every run with a fresh seed", figure, note)


def verdict_on(candidate: Candidate, found: Adoption, form: str) -> str:
    """Whether the best candidate is adopted, in a sentence."""
    runs = f"{len(candidate.values)} runs against {len(found.values)}"
    by = change(candidate.difference, form)
    told = {
        "adopt": f"Adopt trial {candidate.trial}: it is better than the baseline by "
        f"more than both vary ({by}, {runs}).",
        "keep the baseline": f"Keep the baseline: the best candidate, trial "
        f"{candidate.trial}, is worse ({by}, {runs}).",
        "cannot tell": f"Keep the baseline: whether trial {candidate.trial}, the best "
        f"candidate, is better cannot be told ({by}, {runs}).",
    }[candidate.verdict]
    if candidate.verdict == "cannot tell" and candidate.enough:
        return f"{told} {count(candidate.enough, 'run')} of each might tell."
    return told


def _moved(found: Transfer, space: Mapping[str, Mapping[str, Any]]) -> list[Html]:
    """How best regions moved, and what to look at again."""
    parts = []
    if found.shifts:
        rows = pl.DataFrame(
            [
                {
                    "name": named(shift),
                    "expected": expectation(shift.name, space[shift.name]),
                    "moved": moved(shift),
                    "by": change(shift.shift, ".2f"),
                    "interval": _interval(shift.low, shift.high, ".2f"),
                    "verdict": shift_verdict(shift, space[shift.name]),
                }
                for shift in found.shifts
            ]
        )
        heads = {
            "hyperparameter": "name",
            "expected to carry over": "expected",
            "measured": "verdict",
            "its best third": "moved",
            "by, of its range": "by",
            "95% interval": "interval",
        }
        parts.append(table(rows, {head: _cell(key) for head, key in heads.items()}))
    again = recheck(found, space)
    if again:
        said = f"To be searched again in the next round: {listed(again)}."
        parts.append(element("p", said, class_="note"))
    return parts


def _cell(key: str) -> Any:
    return lambda row: row[key]


def _interval(low: float | None, high: float | None, form: str) -> str:
    if low is None or high is None:
        return "too few"
    return f"{change(low, form)} to {change(high, form)}"


def _runs(name: str, values: Sequence[float], place: int, colour: str) -> go.Scatter:
    """A point each; those with the same result stand above each other."""
    seen: dict[float, int] = {}
    heights = []
    for value in values:
        seen[value] = seen.get(value, -1) + 1
        heights.append(place - SPREAD * seen[value])
    return go.Scatter(
        x=list(values),
        y=heights,
        mode="markers",
        marker={"color": colour, "size": 9, "opacity": 0.7},
        hovertemplate=f"{label(name)}: %{{x:.4g}}<extra></extra>",
    )


def _mean(values: Sequence[float], place: int) -> go.Scatter:
    line = {"color": INK, "symbol": "line-ns", "size": 20, "line": {"width": 2}}
    return go.Scatter(
        x=[float(np.mean(values))],
        y=[place],
        mode="markers",
        marker=line,
        hovertemplate="mean %{x:.4g}<extra></extra>",
    )
