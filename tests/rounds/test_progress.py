"""What a person sees of a run: lines in a log, a block on a terminal."""

import io
import re
import threading

import pytest
import small
from rich.console import Console

from tuner.rounds.display import Standing
from tuner.rounds.progress import STOPPING, Block, Lines, make_display

SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


class Clock:
    """A time that goes on only when a test says so."""

    seconds = 0.0

    def __call__(self):
        return self.seconds


class Terminal(io.StringIO):
    def isatty(self):
        return True


def standing(**changes):
    fields = {
        "round": 1,
        "num_rounds": 2,
        "group": "activation=relu",
        "waiting": 12,
        "running": 24,
        "complete": 20,
        "diverged": 1,
        "stopped": 0,
        "steps": 2500,
        "total_steps": 10_000,
        "trial_steps_per_second": 1500.0,
        "best_objective": 0.0134679,
        "best_trial": 17,
    }
    return Standing(**(fields | changes))


def ended(**changes):
    return standing(**({"waiting": 0, "running": 0} | changes))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def lines(clock, stop):
    """Lines, and what they have printed."""
    console = Console(file=io.StringIO(), markup=False, highlight=False, width=20)
    return Lines("valid/error", stop, console, clock), console.file


@pytest.fixture
def block(clock, stop):
    """A maker of blocks of a width, and what the last has printed."""
    blocks = []

    def make(width=80):
        console = Console(
            file=Terminal(), force_terminal=True, markup=False, width=width
        )
        blocks.append(Block("valid/error", stop, console, clock))
        return blocks[-1], console.file

    yield make
    for made in blocks:
        made.close()


def seen(file):
    """What was drawn, line by line, without colours and moves of the cursor."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    return [line.rstrip() for line in re.split(r"[\r\n]+", plain)]


# Lines


def test_lines_tell_of_a_round_from_compilation_to_end(lines, clock):
    display, file = lines
    display.compiling(standing(), 21, "2x3x4")
    clock.seconds = 7.4
    display.compiled("activation=relu", 7.4)
    clock.seconds = 18.0
    display.advanced(standing)
    clock.seconds = 3725
    display.ended(ended())
    assert file.getvalue() == (
        "0:00:00  round 1 of 2, compiling activation=relu (21 trials, layout 2x3x4)\n"
        "0:00:07  training activation=relu, compiled in 7.4 s\n"
        "0:00:18  round 1 of 2, training activation=relu: 25%, 12 waiting, 24 running, "
        "20 complete, 1 diverged, 1,500 trial-steps/s, 0:00:05 left, "
        "best valid/error 0.01347 (trial 17)\n"
        "1:02:05  round 1 of 2 ended: 20 complete, 1 diverged, "
        "best valid/error 0.01347 (trial 17)\n"
    )


def test_a_line_leaves_out_what_nobody_knows_yet(lines, clock):
    display, file = lines
    clock.seconds = 10.0
    new = standing(steps=0, trial_steps_per_second=0.0, best_objective=None)
    display.advanced(lambda: new)
    assert file.getvalue().endswith(
        "0%, 12 waiting, 24 running, 20 complete, 1 diverged\n"
    )


def test_training_is_told_of_every_ten_seconds_at_most(lines, clock):
    display, file = lines
    for second in range(1, 36):
        clock.seconds = second
        display.advanced(standing)
    assert [line[:7] for line in seen(file) if line] == [
        "0:00:10",
        "0:00:20",
        "0:00:30",
    ]


def test_nothing_is_counted_for_a_line_that_is_not_told(lines):
    display, _ = lines
    display.advanced(lambda: pytest.fail("counted"))


def test_lines_say_once_that_the_run_was_asked_to_stop(lines, stop):
    display, file = lines
    stop.set()
    for _ in range(3):
        display.advanced(standing)
    assert file.getvalue() == f"0:00:00  {STOPPING}\n"


# The block


def test_the_block_shows_where_a_round_stands(block, clock):
    display, file = block()
    clock.seconds = 62
    display.advanced(standing)
    display.close()
    drawn = seen(file)
    assert "round 1 of 2, training activation=relu".ljust(71) + "0:01:02" in drawn
    assert any(re.fullmatch(r"━+╺?╸?━+  25%  0:00:05 left", line) for line in drawn)
    assert "trials  12 waiting  24 running  20 complete  1 diverged" in drawn
    assert "speed   1,500 trial-steps/s" in drawn
    assert "best    valid/error 0.01347 (trial 17)" in drawn


def test_the_block_shows_what_is_compiled_and_for_how_long(block, clock, stop):
    display, file = block()
    clock.seconds = 2.0
    display.compiling(standing(), 21, "2x3x4")
    assert any("compiling activation=relu, 0.0 s" in line for line in seen(file))
    clock.seconds = 5.5
    display.close()
    assert any("compiling activation=relu, 3.5 s" in line for line in seen(file))


def test_what_is_over_stays_above_the_block(block, clock):
    display, file = block()
    display.compiling(standing(), 21, "2x3x4")
    clock.seconds = 3.0
    display.compiled("activation=relu", 3.0)
    display.ended(ended())
    told = "compiled activation=relu (21 trials, layout 2x3x4) in 3.0 s"
    assert f"0:00:03  {told}" in seen(file)
    assert any("round 1 of 2 ended: 20 complete, 1 diverged" in x for x in seen(file))


def test_the_block_counts_four_times_a_second(block, clock):
    display, _ = block()
    counted = []
    for tenth in range(20):
        clock.seconds = tenth / 10
        display.advanced(lambda: counted.append(clock.seconds) or standing())
    assert counted == [0.0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8]


def test_the_block_says_at_once_that_the_run_was_asked_to_stop(block, stop):
    display, file = block()
    display.compiling(standing(), 21, "2x3x4")
    stop.set()
    display.close()
    assert STOPPING in seen(file)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_block_fits_into_the_terminal(block, width):
    display, file = block(width)
    display.advanced(lambda: standing(group="activation=" + "x" * 200))
    display.close()
    assert max(map(len, seen(file))) <= width


def test_the_cursor_is_visible_while_the_block_is_drawn(block):
    display, file = block()
    display.compiling(standing(), 21, "2x3x4")
    printed = file.getvalue()
    assert printed.rindex(SHOW_CURSOR) > printed.rindex(HIDE_CURSOR)


# Both


@pytest.mark.parametrize("kind", ["lines", "block"])
def test_names_are_no_markup(request, kind):
    made = request.getfixturevalue(kind)
    display, file = made() if kind == "block" else made
    display.compiling(standing(group="[red]a[/red] :smile:"), 1, "1x1x1")
    display.close()
    assert any("compiling [red]a[/red] :smile:" in line for line in seen(file))


# The choice


def test_where_there_is_no_terminal_there_are_lines(monkeypatch, stop):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(make_display(small.study(), stop), Lines)


def test_on_a_terminal_there_is_a_block(monkeypatch, stop):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", Terminal())
    display = make_display(small.study(), stop)
    display.close()
    assert isinstance(display, Block)


def test_a_notebook_that_cannot_draw_anew_gets_lines(monkeypatch, stop):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(make_display(small.study(), stop), Lines)
