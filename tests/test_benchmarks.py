"""The benchmarks run, at toy sizes: what they measure is for those who run them."""

import json
import operator

import pytest

from benchmarks.__main__ import main
from benchmarks.results import Figure
from benchmarks.table import table
from benchmarks.timing import Contender, Measured, in_turns, ratios


@pytest.mark.parametrize("name", ["mixed", "reading"])
def test_a_measurement_runs_and_its_table_shows_it(name, tmp_path, capsys):
    main(["--quick", "--repeats", "1", "--only", name, "--output", str(tmp_path)])
    content = json.loads((tmp_path / f"{name}.json").read_text())
    assert content["command"].endswith(f"--only {name} --output {tmp_path}")
    assert all(len(figure["values"]) == 1 for figure in content["figures"])
    shown = capsys.readouterr().out
    assert table(tmp_path, [name]) in shown
    assert all(figure["claim"] in shown for figure in content["figures"])


def test_an_unknown_measurement_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "mlp,speed"])
    assert "'speed' is none of mlp, cold, fused" in capsys.readouterr().err


def always(steps, seconds):
    """A contender that needs no time."""
    return lambda: Measured(steps=steps, seconds=seconds)


def contender(name, steps, **changes):
    arguments = {"steps": steps, "seconds": 2.0}
    return Contender(**{"name": name, "make": always, "arguments": arguments} | changes)


def test_contenders_take_turns_in_processes_of_their_own():
    turns = in_turns([contender("a", 6), contender("b", 2)], 2)
    assert ratios(turns["a"], turns["b"]) == [3, 3]


def test_a_contender_that_fails_says_why():
    failing = contender("a", 6, make=operator.truediv, arguments={"x": 1})
    with pytest.raises(RuntimeError, match="a failed") as raised:
        in_turns([failing], 1)
    assert "takes no keyword arguments" in str(raised.value.__cause__)


def test_who_is_not_installed_is_left_out(capsys):
    assert in_turns([contender("a", 6, needs="no_such_module")], 1) == {}
    assert "a: left out, since no_such_module" in capsys.readouterr().out


FIGURES = [
    # values         least  most  reached
    ([1, 2, 30],     2,     None, True),
    ([1, 1.9, 30],   2,     None, False),
    ([0.1, 0.3, 9],  None,  0.3,  True),
    ([0.1, 0.31, 0], None,  0.05, False),
    ([1],            None,  None, None),
]  # fmt: skip


@pytest.mark.parametrize(("values", "least", "most", "reached"), FIGURES)
def test_a_figure_is_reached_by_its_median(values, least, most, reached):
    figure = Figure(number="P1", claim="", values=values, least=least, most=most)
    assert figure.reached is reached
