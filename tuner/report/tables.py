"""Tables: the best trials, and promoted trials beside those they came from."""

import json

import polars as pl

from tuner.report.blocks import Columns, chip, table
from tuner.report.markup import Html
from tuner.report.material import Material
from tuner.report.words import change, count, short, shown

NUM_BEST = 10


def best_trials(material: Material) -> Html:
    """The best trials with what they were trained with.

    A promoted trial whose best step was its parent's is none of them.
    """
    own = material.ranked.filter(pl.col("best_step") > pl.col("start_step"))
    scientific = json.loads(material.ranked["combination"].item(0))
    values: Columns = {
        name: lambda row, name=name: short(row[f"hp.{name}"])
        for name in material.searched
        if name not in scientific
    }
    losses: Columns = (
        {material.loss: lambda row: shown(row["tie"], material.loss_form)}
        if material.loss
        else {}
    )
    columns: Columns = {
        "trial": lambda row: str(row["trial"]),
        **_combination(material),
        material.metric: lambda row: shown(row["best_objective"], material.form),
        **losses,
        "best step": lambda row: _of(row["best_step"], row["max_train_steps"]),
        "round": lambda row: str(row["round"]),
        **values,
    }
    return table(own.head(NUM_BEST), columns)


def promoted_trials(material: Material) -> Html:
    """The promoted trials beside those they came from."""
    combinations = material.trials.select("trial", "combination")
    promoted = material.promoted.join(combinations, on="trial", maintain_order="left")
    form = material.form
    columns: Columns = {
        "trial": lambda row: str(row["trial"]),
        "from": lambda row: str(row["parent"]),
        **_combination(material),
        "steps": lambda row: _from_to(row["parent_steps"], row["max_train_steps"]),
        "resumed at": lambda row: count(row["start_step"]),
        "parent's best": lambda row: shown(row["parent_best"], form),
        "child's best": lambda row: shown(row["child_best"], form),
        "difference": lambda row: change(row["difference"], form),
    }
    return table(promoted, columns)


def verdict(promoted: pl.DataFrame) -> str:
    """How many of the promoted trials became better, and how many worse."""
    judged = promoted.filter(pl.col("difference").is_not_null())
    if judged.is_empty():
        return "No promoted trial has been evaluated yet."
    same = judged.filter(pl.col("difference") == 0).height
    worse = judged["worse"].sum()
    better = judged.height - same - worse
    return (
        f"Of {count(judged.height, 'promoted trial')} {better or 'none'} did better "
        f"than the parent, {same or 'none'} as well and {worse or 'none'} worse."
    )


def _combination(material: Material) -> Columns:
    """A column for the combination, where there are several."""
    if len(material.series) == 1:
        return {}
    return {"combination": lambda row: chip(material.series[row["combination"]])}


def _of(step: int, steps: int) -> str:
    return f"{count(step)} of {count(steps)}"


def _from_to(before: int, after: int) -> str:
    return f"{count(before)} \N{RIGHTWARDS ARROW} {count(after)}"
