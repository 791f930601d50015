"""Which layout trains a group fastest: measured on its own program, within a bound.

The rule's layout is compiled in any case. A glance at it, two calls with one chunk a
device, says how long the group will train, and a twentieth of that may be spent on
other widths: each costs the compilation of one function and a few calls on full lanes.
So a study of seconds is never measured, and one of hours always is; where even the
glance would take longer than that, or its outcome is remembered, there is none.
"""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np

from tuner.lanes import layout as layouts
from tuner.lanes.compilations import calibrating
from tuner.lanes.engine import Engine
from tuner.lanes.feed import repeated
from tuner.lanes.job import Job
from tuner.lanes.layout import Layout
from tuner.lanes.occupant import Occupant, call_inputs
from tuner.lanes.program import Program

SHARE = 0.05  # of the time that training will take, for measuring
MOST_SECONDS = 60.0
CALLS = 3  # the fastest counts: a busy machine only ever makes a call slower
GAIN = 1.05  # by which another width must be faster to be worth its padding


@dataclasses.dataclass(frozen=True)
class Measured:
    """A layout and the speed of its full lanes.

    Attributes:
        layout: of the program.
        ticks_per_second: of all live lanes together.
    """

    layout: Layout
    ticks_per_second: float


def fastest(
    program: Program,
    jobs: Sequence[Job],
    fits: Callable[[Layout], bool] = lambda layout: True,
    known: float | None = None,
) -> tuple[Program, list[Measured]]:
    """The program at the layout that trains it fastest, and all that was measured.

    Args:
        program: compiled, at the layout of the rule.
        jobs: all it is to train.
        fits: whether a layout's lanes have room in memory.
        known: its ticks a second at an earlier glance; None if there was none.

    Returns:
        The same program, or one at another layout, compiled; and nothing measured
        where the group is too short for a glance, or for more than the known one.
    """
    if 2 * _ticks(program, chunks=1) > SHARE * sum(job.ticks for job in jobs):
        return program, []
    with calibrating():
        glances = [] if known else [_glance(program, jobs)]
        budget = _budget(jobs, known or glances[0].ticks_per_second)
        if _price(program) > budget:
            return program, glances
        _fill(program, jobs, program.layout.chunks)
        best, measured = _compare(program, jobs, fits, budget)
    best.compile()
    return best, measured


def speed(program: Program, jobs: Sequence[Job]) -> Measured:
    """How fast a compiled program trains with all lanes full, on cached batches."""
    with calibrating():
        _fill(program, jobs, program.layout.chunks)
        return _measure(program, jobs)


def _glance(program: Program, jobs: Sequence[Job]) -> Measured:
    """How fast it trains, about, with one chunk a device."""
    _fill(program, jobs, chunks=1)
    return _timed(program, jobs, chunks=1, calls=1)


def _budget(jobs: Sequence[Job], ticks_per_second: float) -> float:
    """Seconds that may be spent, given how fast the jobs would train."""
    ticks = sum(job.ticks for job in jobs)
    return min(SHARE * ticks / ticks_per_second, MOST_SECONDS)


def _price(program: Program) -> float:
    """Seconds that another width is taken to cost."""
    return 1.5 * program.compile_seconds


def _fill(program: Program, jobs: Sequence[Job], chunks: int) -> None:
    """Put trials into the first chunks of each device, as they begin."""
    layout = program.layout
    engine = Engine(program)
    lanes = layout.devices * chunks * layout.width
    engine.submit(list(_copies(jobs, lanes)))
    engine.fill()


def others(layout: Layout, num_trials: int) -> Iterator[Layout]:
    """Layouts of other widths for as many trials, the likely ones first."""
    for factor in (0.25, 2, 0.5, 4):
        width = layout.width * factor
        if width >= 1 and width * layout.devices < 2 * num_trials:
            yield layouts.choose(num_trials, width=int(width))


def _compare(program, jobs, fits, budget):
    """The program that was fastest, of which `advance` is compiled, and all speeds."""
    started = time.perf_counter()
    states = jax.tree.map(np.array, jax.device_get(program.lanes))
    measured = [_measure(program, jobs)]
    best, speed = program, measured[0].ticks_per_second
    for layout in filter(fits, others(program.layout, len(jobs))):
        spent = time.perf_counter() - started
        if spent + _price(program) > budget:
            break
        candidate = program.at(layout)
        candidate.compile(only=("advance",))
        candidate.fill(states)
        measured.append(_measure(candidate, jobs))
        if measured[-1].ticks_per_second > GAIN * speed:
            best, speed = candidate, measured[-1].ticks_per_second
    return best, measured


def _measure(program: Program, jobs: Sequence[Job]) -> Measured:
    """How fast it trains with all lanes full."""
    return _timed(program, jobs, program.layout.chunks)


def _timed(
    program: Program, jobs: Sequence[Job], chunks: int, calls: int = CALLS
) -> Measured:
    """Time calls with so many chunks a device; what they train is thrown away."""
    layout = program.layout
    lanes = np.arange(layout.lanes)
    occupants = [Occupant(job, 0) for job in _copies(jobs, layout.lanes)]
    group = program.group
    fed = {}
    if group.is_fed:
        fed["batches"] = repeated(group, jobs[0].numbers, layout.lanes)
    seconds = []
    for _ in range(1 + calls):
        inputs = call_inputs(group, layout, lanes, occupants) | fed
        inputs["live_chunks"] = np.full(layout.devices, chunks, np.int32)
        started = time.perf_counter()
        jax.block_until_ready(program.advance(inputs))
        seconds.append(time.perf_counter() - started)
    return Measured(layout, _ticks(program, chunks) / min(seconds[1:]))


def _ticks(program: Program, chunks: int) -> int:
    """That a call makes of so many full chunks a device."""
    layout = program.layout
    lanes = layout.devices * chunks * layout.width
    return lanes * program.group.call_ticks


def _copies(jobs: Sequence[Job], count: int) -> Iterator[Job]:
    """So many jobs from their beginnings, repeated where there are fewer."""
    for job in itertools.islice(itertools.cycle(jobs), count):
        yield dataclasses.replace(job, start_step=0, trained=None)
