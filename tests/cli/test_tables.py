"""Tables of runs: what fits into the screen, and names as they are."""

import io
import re

import polars as pl
import pytest
from rich.console import Console

import tuner
from tuner.analysis import compare_with_parents
from tuner.cli.tables import (
    find_runs,
    print_best,
    print_runs,
    print_trials,
    varied,
    worse_children,
)
from tuner.store import sealed


@pytest.fixture
def printed():
    """What a function prints on a console of a width, line by line."""

    def printed(function, what, width=200):
        console = Console(file=io.StringIO(), markup=False, emoji=False, width=width)
        function(what, console)
        return [line.rstrip() for line in console.file.getvalue().splitlines()]

    return printed


def entry(role):
    return {"type": "float", "role": role}


def test_scientific_hyperparameters_come_first_and_fixed_ones_not_at_all():
    roles = {"a": "nuisance", "b": "fixed", "c": "scientific", "d": "nuisance"}
    space = {name: entry(role) for name, role in roles.items()}
    assert varied({"study": {"space": space}}) == ["c", "a", "d"]


def test_the_best_trials_are_ranked(finished, printed):
    lines = printed(print_best, finished)
    header = "rank trial round activation rate decay steps step error"
    assert lines[0] == "The best of 16 trials"
    assert lines[2].split() == header.split()
    ranked = finished.ranked.head(10)
    rows = [line.split() for line in lines[4:14]]
    assert [int(row[0]) for row in rows] == list(range(1, 11))
    assert [int(row[1]) for row in rows] == ranked["trial"].to_list()
    assert [row[3] for row in rows] == ranked["hp.activation"].to_list()
    objectives = [f"{value:.4g}" for value in ranked["best_objective"]]
    assert [row[-1] for row in rows] == objectives


def test_promoted_trials_stand_beside_their_parents(finished, printed):
    lines = printed(print_best, finished)
    at = lines.index("Promoted trials")
    rows = [line.split() for line in lines[at + 4 : at + 8]]
    compared = compare_with_parents(finished.trials)
    shown = compared.select(
        "trial", "parent", "start_step", "max_train_steps", "parent_steps"
    )
    assert [tuple(map(int, row[:5])) for row in rows] == shown.rows()
    differences = [f"{value:.4g}" for value in compared["difference"]]
    assert [row[7] for row in rows] == differences


@pytest.mark.parametrize("width", [60, 70, 80])
def test_a_narrow_screen_says_what_it_has_no_room_for(finished, printed, width):
    lines = printed(print_trials, finished, width)
    names = varied(finished.definition)
    assert max(map(len, lines)) <= width
    said = re.search("No room for (.*): see tuner trials", " ".join(lines))
    hidden = said[1].split(", ")
    assert hidden == names[-len(hidden) :]
    header = "".join(lines[:2])
    assert all((name.split("_")[-1] in header) != (name in hidden) for name in names)


def test_a_wide_screen_has_room_for_all(finished, printed):
    lines = printed(print_trials, finished)
    assert lines[-1].split()[0] == "15"


WORSE = [
    # worse          the sentence
    ([True], "The promoted trial did worse than its parent."),
    ([False], "The promoted trial did no worse than its parent."),
    ([None], "The promoted trial did no worse than its parent."),
    ([False] * 3, "None of the 3 promoted trials did worse than their parents."),
    ([True, False], "1 of the 2 promoted trials did worse than their parents."),
]


@pytest.mark.parametrize(("worse", "sentence"), WORSE)
def test_worse_children_are_counted_in_words(worse, sentence):
    frame = pl.DataFrame({"worse": worse}, schema={"worse": pl.Boolean})
    assert worse_children(frame) == sentence


def test_runs_are_found_by_what_they_hold(finished, tmp_path):
    folder = finished.directory.parent
    assert [run.directory for run in find_runs(folder)] == [finished.directory]
    (tmp_path / "no run").mkdir()
    assert find_runs(tmp_path) == []


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no directory '.*/none'"):
        find_runs(tmp_path / "none")


def test_a_damaged_run_hides_no_other(finished, printed, tmp_path):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "study.json").write_text("{")
    older = tmp_path / "older"
    (older / "tmp").mkdir(parents=True)
    sealed.write(older, "study.json", {"study": {}})  # from before it said its format
    lines = printed(print_runs, [tuner.Run(damaged), tuner.Run(older), finished])
    assert lines[2].split() == [str(damaged), "damaged"]
    assert lines[3].split() == [str(older), "of", "another", "format"]
    assert lines[4].split()[1:4] == ["small", "16", "complete"]


def test_a_name_is_no_markup(finished, printed, monkeypatch):
    definition = finished.definition
    definition["study"]["goal"] = "[red]compare[/red] :smile:"
    monkeypatch.setattr(tuner.Run, "definition", definition)
    lines = printed(print_runs, [finished])
    assert lines[2].endswith("[red]compare[/red] :smile:")
