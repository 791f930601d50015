"""Room for the lanes: layouts are made to fit each device before anything runs.

Most studies need so little that the traced text of a step tells. Where it does not,
small programs are compiled to know; and each program that is compiled to be run is
asked itself before it is.
"""

from collections.abc import Iterator, Sequence

from tuner.lanes.device_memory import device_memory, parse_bytes
from tuner.lanes.layout import Layout
from tuner.lanes.memory import ACTIVATIONS, BEST, Memory, MemoryPlan
from tuner.lanes.program import Program
from tuner.lanes.state import num_bytes
from tuner.rounds.preflight import Plan
from tuner.rounds.wording import amount

ALL = "all"  # of what the device has
PLAINLY = 2  # times the estimate: with so much room nothing need be compiled to know
HARDLY = 0.1  # of what a lane needs beside its state
REMEDIES = {
    "parameters": "a smaller model",
    "optimizer state": "an optimizer that carries less",
    BEST: 'best_state="snapshot" or a `kept` of the task that returns less',
    "data": "fewer examples, or narrower types",
    ACTIVATIONS: "a smaller batch",
}


class NoRoomError(ValueError):
    """What a program needs is more than a device has."""


class TooLargeError(Exception):
    """A compiled program needs more than was predicted, and more than there is."""

    def __init__(self, layout: Layout, needed: int, limit: int) -> None:
        super().__init__(
            f"it needs {_bytes(needed)} of each device, and there are {_bytes(limit)}"
        )
        self.layout = layout


class Room:
    """Which layouts fit the devices, for the programs of a study.

    Args:
        plan: what `preflight` returns.
        memory: bytes of each device, "4GB"; all that the device has if None.
    """

    def __init__(self, plan: Plan, memory: str | int | None = None) -> None:
        asked = None if memory == ALL else memory
        self.limit = device_memory() if asked is None else parse_bytes(asked)
        self._signatures = plan.groups
        self._groups = {name: plan.group(name) for name in plan.members}
        self._memories: dict[str, Memory] = {}

    def memory(self, name: str) -> Memory:
        """What layouts of a program need."""
        if name not in self._memories:
            self._memories[name] = Memory(self._groups[name])
        return self._memories[name]

    def fits(self, name: str, layout: Layout) -> bool:
        """Whether a layout of a program does."""
        return self._plainly(name, layout) or self.memory(name).fits(layout, self.limit)

    def fitting(self, name: str, layout: Layout) -> Layout:
        """The layout, or one with fewer lanes that fits.

        Raises:
            NoRoomError: where no lane does, with what takes what.
        """
        if self._plainly(name, layout):
            return layout
        smaller = self.memory(name).shrink(layout, self.limit)
        if smaller is None:
            one = Layout(layout.devices, 1, 1)
            raise NoRoomError(self._refusal(name, one, f"a lane of program {name}"))
        return smaller

    def check(self, name: str, layout: Layout) -> None:
        """Refuse a layout that was asked for and does not fit."""
        if not self.fits(name, layout):
            smaller = self.fitting(name, layout)
            text = self._refusal(name, layout, f"the layout {layout} of program {name}")
            raise NoRoomError(f"{text}\n\nThe layout {smaller} fits.")

    def confirm(self, name: str, program: Program) -> None:
        """Ask a compiled program what it needs.

        Raises:
            TooLargeError: where that is more than was predicted, and than there is.
        """
        if self._plainly(name, program.layout):
            return
        needed = self.memory(name).learn(program).total
        if needed > self.limit:
            raise TooLargeError(program.layout, needed, self.limit)

    def table(self, name: str, layout: Layout) -> str:
        """What takes what, a line each."""
        memory, batch_size = self.memory(name), self._groups[name].tick_examples
        plan, price = memory.plan(layout), memory.per_example()
        lines = [*_lines(name, plan), *_of_a_batch(plan, batch_size, price)]
        if saved := memory.saved_by_snapshots(layout):
            lines.append(f'  with best_state="snapshot", {_bytes(saved)} less')
        return "\n".join(lines)

    def holds(self, programs: Sequence[tuple[str, Layout]]) -> bool:
        """Whether all of some programs, at their layouts, fit at once."""
        if PLAINLY * sum(self._estimate(*one) for one in programs) <= self.limit:
            return True
        plans = (self.memory(name).plan(layout) for name, layout in programs)
        return sum(plan.total for plan in plans) <= self.limit

    def _plainly(self, name: str, layout: Layout) -> bool:
        """Whether there is so much room that an estimate is enough."""
        return PLAINLY * self._estimate(name, layout) <= self.limit

    def _estimate(self, name: str, layout: Layout) -> int:
        """Bytes that a layout needs, rather too many, from its traced step alone."""
        group, signature = self._groups[name], self._signatures[name]
        numbers = len(signature.train) + len(group.scheduled) + group.tick_examples + 4
        of_tick = 4 * numbers + (num_bytes(group.batch_type) if group.is_fed else 0)
        rows = group.call_ticks * of_tick + 4 * len(signature.valid)
        of_lane = 4 * signature.lane_bytes + 2 * rows
        working = signature.working_bytes + 2 * signature.lane_bytes
        needed = num_bytes(group.data) + layout.lanes_per_device * of_lane
        return needed + layout.width * working

    def _refusal(self, name: str, layout: Layout, what: str) -> str:
        plan = self.memory(name).plan(layout)
        largest = sorted(plan.parts, key=lambda part: part.num_bytes, reverse=True)
        remedies = [REMEDIES[part.name] for part in largest if part.name in REMEDIES]
        return (
            f"{what} needs {_bytes(plan.total)} of each device, but there are "
            f"{_bytes(self.limit)}: {', '.join(remedies[:3])} would need less\n\n"
            f"{self.table(name, layout)}"
        )


def _lines(name: str, plan: MemoryPlan) -> Iterator[str]:
    yield (
        f"program {name}, layout {plan.layout}: {_bytes(plan.total)} of each device, "
        f"{_bytes(plan.of_call)} of it in the compiled call"
    )
    width = max(len(part.name) for part in plan.parts)
    for part in plan.parts:
        times = f"{part.count:,} x {_bytes(part.bytes_each)} a {part.per}"
        yield f"  {part.name:{width}}  {_bytes(part.num_bytes):>8}  {times}"


def _of_a_batch(
    plan: MemoryPlan, batch_size: int, per_example: int | None
) -> Iterator[str]:
    """What a smaller batch would save."""
    if per_example is None:
        return
    needed = sum(part.bytes_each for part in plan.parts if part.name == ACTIVATIONS)
    if per_example * batch_size < HARDLY * needed:
        yield "  the evaluation needs most: a smaller batch would hardly save any"
    else:
        yield f"  of activations, {_bytes(per_example)} for each example of a batch"


def _bytes(number: int) -> str:
    return amount(number, "B")
