"""Shows a run as it goes: a block drawn in its place on a terminal, else lines.

All goes to the standard error, so that what a command prints can be piped away. The
thread that trains leaves where things stand; a thread of Rich draws the block, four
times a second. Only plain text is printed: a name is never taken for markup.
"""

import importlib.util
import threading
import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tuner.rounds.display import Display, Standing
from tuner.rounds.terminal import Terminal
from tuner.rounds.wording import clock, count, duration, number
from tuner.study.study import Study

LINE_SECONDS = 10.0  # between two lines while nothing begins or ends
BLOCK_SECONDS = 0.25  # between two drawings of the block
BLOCK_WIDTH = 78  # characters; a wider block is not read at a glance
STOPPING = "stopping: what is done is saved first; asked again, it leaves at once"

Now = Callable[[], float]


def make_display(study: Study, stop: threading.Event) -> Display:
    """What suits the place: a block on a terminal or in a notebook, else lines.

    Args:
        study: what runs.
        stop: set when the run was asked to stop.
    """
    console = Terminal(stderr=True)
    notebook = console.is_jupyter and importlib.util.find_spec("ipywidgets")
    kind = Block if console.is_interactive or notebook else Lines
    return kind(study.target.metric, stop, console)


class _Teller:
    """What all kinds have: a place to leave lines in, and the time since the start.

    Args:
        metric: the objective's name.
        stop: set when the run was asked to stop.
        console: where to print.
        now: the time in seconds.
    """

    def __init__(
        self,
        metric: str,
        stop: threading.Event,
        console: Console,
        now: Now = time.monotonic,
    ) -> None:
        self._metric, self._stop, self._console, self._now = metric, stop, console, now
        self._started = self._told = now()

    def note(self, text: str) -> None:
        """Leave it as a line."""
        self._say(text)

    def _say(self, text: str) -> None:
        self._told = self._now()
        elapsed = Text(clock(self._told - self._started), "dim")
        self._console.print(Text.assemble(elapsed, "  ", text), soft_wrap=True)


class Lines(_Teller):
    """A line when something begins or ends, and one every ten seconds in between."""

    _told_stopping = False

    def compiling(self, standing: Standing, trials: int, layout: str) -> None:
        """Say what is compiled."""
        program = _program(standing.group, trials, layout)
        self._say(f"{_round(standing)}, compiling {program}")

    def compiled(self, group: str, seconds: float) -> None:
        """Say that training begins."""
        self._say(f"training {group}, compiled in {duration(seconds)}")

    def advanced(self, standing: Callable[[], Standing]) -> None:
        """Say where the round stands, if nothing was said for a while."""
        if self._stop.is_set() and not self._told_stopping:
            self._told_stopping = True
            self._say(STOPPING)
        elif self._now() - self._told >= LINE_SECONDS:
            self._say(_ongoing(standing(), self._metric))

    def ended(self, standing: Standing) -> None:
        """Say how a round went."""
        self._say(_ended(standing, self._metric))

    def close(self) -> None:
        """Nothing is to be put back."""


class Block(_Teller):
    """A few lines drawn anew in their place; what is over stays above them."""

    def __init__(
        self,
        metric: str,
        stop: threading.Event,
        console: Console,
        now: Now = time.monotonic,
    ) -> None:
        super().__init__(metric, stop, console, now)
        self._compile_started = self._started
        self._looked = -BLOCK_SECONDS
        self._program = ""  # that is compiled, if any is
        self._standing: Standing | None = None
        self._live = Live(
            console=console,
            get_renderable=self._draw,
            refresh_per_second=1 / BLOCK_SECONDS,
            transient=True,
        )
        self._live.start()
        console.show_cursor(True)  # a process that is killed cannot put it back

    def compiling(self, standing: Standing, trials: int, layout: str) -> None:
        """Show what is compiled, and for how long."""
        self._program = _program(standing.group, trials, layout)
        self._compile_started = self._now()
        self._standing = standing
        self._live.refresh()

    def compiled(self, group: str, seconds: float) -> None:
        """Leave a line about it."""
        text, self._program = f"compiled {self._program}", ""
        self._say(f"{text} in {duration(seconds)}")

    def advanced(self, standing: Callable[[], Standing]) -> None:
        """Take how things stand for the next drawing."""
        if self._now() - self._looked >= BLOCK_SECONDS:
            self._looked = self._now()
            self._standing = standing()

    def ended(self, standing: Standing) -> None:
        """Leave a line about the round."""
        self._standing = standing
        self._say(_ended(standing, self._metric))

    def close(self) -> None:
        """Take the block away."""
        self._live.stop()

    def _draw(self) -> Group:
        """The block as it is now; called from Rich's thread."""
        lines: list[RenderableType] = []
        if self._standing:
            lines += self._lines(self._standing)
        if self._stop.is_set():
            lines.append(Text(STOPPING, "yellow"))
        return Group(*lines)

    def _lines(self, standing: Standing) -> list[RenderableType]:
        width = min(BLOCK_WIDTH, self._console.width)
        elapsed = Text(clock(self._now() - self._started), "dim")
        steps = max(standing.total_steps, 1)
        bar = ProgressBar(steps, standing.steps, complete_style="cyan")
        facts = {
            "trials": "  ".join(_counts(standing)),
            "speed": _speed(standing),
            "best": _best(standing, self._metric),
        }
        return [
            _ends(Text(self._doing(standing)), elapsed, width),
            _ends(bar, Text(f"{_share(standing)}  {_left(standing)}"), width),
            _named(facts),
        ]

    def _doing(self, standing: Standing) -> str:
        if not self._program:
            return f"{_round(standing)}, training {standing.group}"
        since = duration(self._now() - self._compile_started)
        return f"{_round(standing)}, compiling {standing.group}, {since}"


def _program(group: str, trials: int, layout: str) -> str:
    return f"{group} ({count(trials, 'trial')}, layout {layout})"


def _ongoing(standing: Standing, metric: str) -> str:
    """A line about a round that goes on."""
    parts = [
        f"{_round(standing)}, training {standing.group}: {_share(standing)}",
        *_counts(standing),
        _speed(standing),
        _left(standing),
        _best(standing, metric, "best "),
    ]
    return ", ".join(part for part in parts if part)


def _ended(standing: Standing, metric: str) -> str:
    """A line about a round that is over."""
    parts = [
        f"{_round(standing)} ended: {', '.join(_counts(standing))}",
        _best(standing, metric, "best "),
    ]
    return ", ".join(part for part in parts if part)


def _round(standing: Standing) -> str:
    return f"round {standing.round} of {standing.num_rounds}"


def _counts(standing: Standing) -> list[str]:
    """Trials by status, those there are."""
    statuses = ("waiting", "running", "complete", "diverged", "stopped", "failed")
    numbers = {status: getattr(standing, status) for status in statuses}
    return [f"{n:,} {status}" for status, n in numbers.items() if n]


def _share(standing: Standing) -> str:
    return f"{standing.steps / max(standing.total_steps, 1):.0%}"


def _speed(standing: Standing) -> str:
    speed = standing.trial_steps_per_second
    return f"{speed:,.0f} trial-steps/s" if speed else ""


def _left(standing: Standing) -> str:
    """How long the rest of the round takes at the present speed."""
    if not standing.trial_steps_per_second:
        return ""
    steps = standing.total_steps - standing.steps
    return f"{clock(steps / standing.trial_steps_per_second)} left"


def _best(standing: Standing, metric: str, before: str = "") -> str:
    if standing.best_objective is None:
        return ""
    best = number(standing.best_objective)
    return f"{before}{metric} {best} (trial {standing.best_trial})"


def _ends(left: RenderableType, right: RenderableType, width: int) -> Table:
    """One thing at the left end of a line, as wide as can be, another at the right."""
    line = Table.grid(padding=(0, 2))
    line.width = width
    line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    line.add_column(justify="right", no_wrap=True)
    line.add_row(left, right)
    return line


def _named(facts: dict[str, str]) -> Table:
    """Facts with their names before them, those there are."""
    table = Table.grid(padding=(0, 2))
    for name, text in facts.items():
        if text:
            table.add_row(Text(name, "dim"), Text(text))
    return table
