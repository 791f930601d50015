"""Frames of a run as tables: what there is room for, and names never as markup."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from tuner.analysis.promoted import compare_with_parents
from tuner.rounds.terminal import Terminal
from tuner.rounds.wording import count, number
from tuner.runs import Run, open_run
from tuner.store.definition import NAME
from tuner.store.durable import DamagedError
from tuner.store.format import FormatError

SHOWN = 10  # best trials
PIPED_WIDTH = 240  # characters, where nothing is a screen


def make_console() -> Console:
    """The standard output; wide where it is no screen."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Terminal(width=width)


def print_best(run: Run, console: Console) -> None:
    """The best trials, then the promoted ones beside their parents."""
    ranked = run.ranked.head(SHOWN).with_row_index("rank", offset=1)
    title = f"The best of {count(run.trials.height, 'trial')}"
    _print_trials(run, ranked, ["rank", "trial", "round"], console, title)
    compared = compare_with_parents(run.trials, maximize=run.maximize)
    if compared.height:
        console.print()
        console.print(_promoted(compared))
        console.print(worse_children(compared))


def print_trials(run: Run, console: Console) -> None:
    """All trials, in the order of their numbers."""
    lead = ["trial", "round", "parent", "status", "step"]
    _print_trials(run, run.trials, lead, console)


def find_runs(directory: Path) -> list[Run]:
    """The runs in a directory, by name.

    Raises:
        FileNotFoundError: where there is no such directory.
    """
    if not directory.is_dir():
        raise FileNotFoundError(
            f"runs lie in a directory, but there is no directory {str(directory)!r}"
        )
    return [open_run(path.parent) for path in sorted(directory.glob(f"*/{NAME}"))]


def print_runs(runs: Iterable[Run], console: Console) -> None:
    """Runs a row each."""
    names = ["directory", "name", "trials", "status", "best", "goal"]
    columns = zip(*(_described(run) for run in runs), strict=True)
    console.print(make_table(dict(zip(names, columns, strict=True))))


def worse_children(compared: pl.DataFrame) -> str:
    """How many promoted trials did worse than their parents, in words.

    Args:
        compared: what `analysis.compare_with_parents` returns.
    """
    worse, children = int(compared["worse"].sum()), compared.height
    if children == 1:
        did = "worse" if worse else "no worse"
        return f"The promoted trial did {did} than its parent."
    did = f"{worse or 'none'} of the {children} promoted trials did worse"
    return f"{did[0].upper()}{did[1:]} than their parents."


def varied(definition: Mapping[str, Any]) -> list[str]:
    """The hyperparameters that are no fixed ones, the scientific before the others."""
    space = definition["study"]["space"]
    names = [name for name, entry in space.items() if entry["role"] != "fixed"]
    return sorted(names, key=lambda name: space[name]["role"] != "scientific")


def _print_trials(
    run: Run,
    trials: pl.DataFrame,
    lead: list[str],
    console: Console,
    title: str | None = None,
) -> None:
    """Trials a row each; of the hyperparameters as many as there is room for."""
    names = [name for name in varied(run.definition) if f"hp.{name}" in trials.columns]
    metric = run.definition["study"]["objective"]["metric"]

    def table(names: Sequence[str]) -> Table:
        before = {name: trials[name] for name in lead}
        values = {name: trials[f"hp.{name}"] for name in names}
        after = {"best step": trials["best_step"], metric: trials["best_objective"]}
        return make_table(before | values | after, title)

    shown = len(names)
    while shown and _width(table(names[:shown]), console) > console.width:
        shown -= 1
    console.print(table(names[:shown]))
    if names[shown:]:
        command = f"tuner trials {run.directory} --csv"
        console.print(f"No room for {', '.join(names[shown:])}: see {command}")


def _promoted(compared: pl.DataFrame) -> Table:
    starts = compared.select("start_step", "resume").rows()
    columns = {
        "trial": compared["trial"],
        "parent": compared["parent"],
        "resumed at": [step if how == "exact" else "0, afresh" for step, how in starts],
        "steps": compared["max_train_steps"],
        "parent's steps": compared["parent_steps"],
        "parent's best": compared["parent_best"],
        "best": compared["child_best"],
        "difference": compared["difference"],
    }
    return make_table(columns, "Promoted trials")


def _described(run: Run) -> tuple[Any, ...]:
    directory = str(run.directory)
    try:
        study, ranked = run.definition["study"], run.ranked
    except (DamagedError, FormatError) as error:
        what = "damaged" if isinstance(error, DamagedError) else "of another format"
        return directory, "", None, what, "", ""
    best = ""
    if ranked.height:
        objective = ranked.row(0, named=True)["best_objective"]
        best = f"{study['objective']['metric']} {number(objective)}"
    trials = run.trials.height
    return directory, study["name"], trials, run.status, best, study["goal"]


def make_table(
    columns: Mapping[str, Sequence[Any] | pl.Series], title: str | None = None
) -> Table:
    """A table of columns; numbers stand at the right."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 0, 0, 1),
    )
    for name, values in columns.items():
        text = all(isinstance(value, str) for value in values)
        table.add_column(_folded(name), justify="left" if text else "right")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*map(number, row))
    return table


def _width(table: Table, console: Console) -> int:
    """The width of a table that nothing narrows."""
    roomy = console.options.update(max_width=10_000)
    return Measurement.get(console, roomy, table).maximum


def _folded(name: str) -> str:
    """A name over several lines, so that its column may be narrow."""
    return re.sub(r"(?<=\w[_./])(?=\w)| ", "\n", name)
