"""The lines of promotions of a run, drawn as trees."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from tuner.rounds.wording import number
from tuner.runs import Run


def print_tree(run: Run, console: Console) -> None:
    """Trials that were promoted, under those they come from; the others in one line."""
    trials = run.trials
    metric = run.definition["study"]["objective"]["metric"]
    children = {
        parent: rows.to_dicts()
        for (parent,), rows in trials.group_by("parent", maintain_order=True)
    }
    alone = 0
    for row in trials.filter(pl.col("parent").is_null()).to_dicts():
        if row["trial"] in children:
            tree = Tree(_line(row, metric), guide_style="dim")
            _grow(tree, row["trial"], children, metric)
            console.print(tree)
        else:
            alone += 1
    if alone:
        console.print(f"and {alone:,} trials that were not promoted")


def _grow(
    tree: Tree, trial: int, children: Mapping[Any, list[dict[str, Any]]], metric: str
) -> None:
    for row in children.get(trial, []):
        branch = tree.add(_line(row, metric))
        _grow(branch, row["trial"], children, metric)


def _line(row: Mapping[str, Any], metric: str) -> Text:
    """A trial, how it came to be, and what became of it."""
    parts = [f"trial {row['trial']}"]
    if row["replicate"]:
        parts.append(f"seed {row['replicate']}")
    if row["extend"]:
        parts.append(row["extend"])
    if row["control"]:
        parts.append("control")
    if row["parent"] is not None:
        parts.append(_begun(row))
    parts.append(f"{row['step']:,} of {row['max_train_steps']:,} steps")
    if row["best_objective"] is not None:
        parts.append(
            f"{metric} {number(row['best_objective'])} at {row['best_step']:,}"
        )
    if row["status"] != "complete":
        parts.append(row["status"])
    return Text(", ".join(parts))


def _begun(row: Mapping[str, Any]) -> str:
    if row["resume"] == "fresh":
        return "afresh"
    return f"from trial {row['resumed_from']} at step {row['start_step']:,}"
