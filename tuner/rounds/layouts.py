"""The layout of every program: the directory's, else what is asked, else what is fast.

It decides a trial's bits, so it is decided once for a program in a run directory,
before its first trial, and never changes with rounds, refills or the number of trials.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence

from tuner.lanes import calibration, feed, remembered
from tuner.lanes import layout as layouts
from tuner.lanes.calibration import Measured
from tuner.lanes.check import Signature
from tuner.lanes.job import Job
from tuner.lanes.layout import Layout
from tuner.lanes.program import Program
from tuner.lanes.trial import Group
from tuner.rounds.room import Room
from tuner.study.names import unknown

LayoutLike = Layout | str | Mapping[str, Layout | str]
ALIKE = 2.0  # lanes that differ less in size share a measurement


class Layouts:
    """What was decided for each program, and how the next is.

    Args:
        groups: what the programs record, by name.
        before: the directory's, by name.
        asked: by who runs it.
        room: what fits the devices.

    Attributes:
        known: what is decided, by name.
        tried: what was last built, by name.
        measured: what was measured for it, by name.
        decided: called when one more is known.

    Raises:
        ValueError: for a program that does not exist, or a layout that cannot be.
        NoRoomError: for one that does not fit.
    """

    def __init__(
        self,
        groups: Mapping[str, Signature],
        before: Mapping[str, str],
        asked: LayoutLike | None,
        room: Room,
    ) -> None:
        if isinstance(asked, Mapping) and (unmet := set(asked) - {*groups, *before}):
            raise ValueError(unknown("program", min(unmet), list(groups)))
        self._groups, self._room = groups, room
        self.decided: Callable[[], None] = lambda: None
        self.known = {name: Layout.parse(text) for name, text in before.items()}
        for name in groups:
            wanted = asked.get(name) if isinstance(asked, Mapping) else asked
            if wanted is not None and name not in self.known:
                self.known[name] = _parsed(wanted)
        for name, layout in self.known.items():
            layouts.check(layout)
            if name not in before:
                room.check(name, layout)
        self.tried: dict[str, Layout] = {}
        self._recalled: dict[str, int | None] = {}  # once: it is asked at every call
        self.measured: dict[str, Sequence[Measured]] = {}

    def guess(self, name: str, num_trials: int) -> tuple[Layout, bool]:
        """A program's layout without measuring, and whether that is final.

        Remembered from another run, or taken from a program of like size in this one;
        else by the rule, which a measurement may correct.
        """
        if name in self.known:
            return self.known[name], True
        width = self._width(name)
        convolves = self._groups[name].convolves
        layout = layouts.choose(num_trials, width, convolves=convolves)
        return self._room.fitting(name, layout), width is not None

    def is_foregone(self, name: str) -> bool:
        """Whether nothing would be measured for a program: it can be built meanwhile.

        Where the first programs were too short to be measured, the others are taken to
        be so too.
        """
        if name in self.known or self._width(name) is not None:
            return True
        tried = self.measured.values()
        return bool(tried) and all(len(m) <= 1 for m in tried)

    def build(
        self, name: str, group: Group, jobs: Sequence[Job], *, may_measure: bool
    ) -> Program:
        """The compiled program of a group; this decides its layout for good."""
        layout, final = self.guess(name, len(jobs))
        self.tried[name] = layout
        starts = math.gcd(*[job.start_tick for job in jobs])
        program = Program(dataclasses.replace(group, start_ticks=starts), layout)
        program.compile()
        self._room.confirm(name, program)
        if not final and may_measure:
            program = self._fastest(name, program, jobs)
            self._room.confirm(name, program)
        if name not in self.known:
            self.known[name] = program.layout
            self.decided()
            if self._width_of_alike(name) is not None:
                fingerprint = self._groups[name].fingerprint
                remembered.remember(fingerprint, program.layout.width)
        return program

    def _fastest(self, name: str, program: Program, jobs: Sequence[Job]) -> Program:
        """Measure; a glance that leads to nothing is not repeated in another run."""
        fingerprint = self._groups[name].fingerprint
        fits = functools.partial(self._fits_beside, name, program)
        known = remembered.recall_speed(fingerprint)
        program, measured = calibration.fastest(program, jobs, fits, known)
        self.measured[name] = measured
        if len(measured) == 1:
            remembered.remember_speed(fingerprint, measured[0].ticks_per_second)
        return program

    def _fits_beside(self, name: str, program: Program, layout: Layout) -> bool:
        """Whether a layout can be measured while the program that is there stays."""
        both = [(name, program.layout), (name, layout)]
        return feed.fits(program.group, layout) and self._room.holds(both)

    def _width(self, name: str) -> int | None:
        """What was measured for a program, in another run or in this one."""
        if name not in self._recalled:
            fingerprint = self._groups[name].fingerprint
            self._recalled[name] = remembered.recall(fingerprint)
        return self._recalled[name] or self._width_of_alike(name)

    def _width_of_alike(self, name: str) -> int | None:
        """The width that was measured for it, or for a program of about its size."""
        size = self._groups[name].lane_bytes
        for other in [name for name, m in self.measured.items() if len(m) > 1]:
            ratio = self._groups[other].lane_bytes / size
            if 1 / ALIKE < ratio < ALIKE:
                return self.known[other].width
        return None


def _parsed(layout: Layout | str) -> Layout:
    return Layout.parse(layout) if isinstance(layout, str) else layout
