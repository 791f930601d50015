"""Memory planned ahead: what a layout needs of each device, before anything runs.

What a call of the program is given and gives is known from its types. What it needs
besides, XLA says of the compiled program (`memory_analysis`). That is the same for any
number of chunks from two on, and nearly affine in their width: so one or two small
programs tell of all layouts, and the one that was chosen is asked once it is compiled.

All bytes are of one device. On CPU the devices share the machine's memory, and data
that every device needs lies there once for each.
"""

import dataclasses
from typing import Any

import jax

from tuner.lanes import feed
from tuner.lanes.compilations import calibrating
from tuner.lanes.layout import Layout
from tuner.lanes.peak import peak_bytes
from tuner.lanes.program import Program
from tuner.lanes.state import num_bytes
from tuner.lanes.trial import Group
from tuner.study.supervised import SupervisedState
from tuner.study.task import Variables

ACTIVATIONS = "activations and the like"
BEST = "best state"
COPIES = ("copy for a commit", "copy at a branch step", "copy where trials end")
LANE, CHUNK, DEVICE = "lane", "lane of a chunk", "device"
SMALL = (2, 4)  # widths that stand for wider ones; one lane alone compiles otherwise
CAREFUL = 2  # times what the traced text says: then there is room without compiling


@dataclasses.dataclass(frozen=True)
class Part:
    """What takes memory, and how often it lies on a device.

    Attributes:
        name: for people.
        bytes_each: of one of them.
        count: how many lie on a device.
        per: what each is of: a lane, a lane of the chunk that trains, the device.
        beside: whether it lies beside the call, so that the program cannot know it.
    """

    name: str
    bytes_each: int
    count: int
    per: str
    beside: bool = False

    @property
    def num_bytes(self) -> int:
        """Of all of them."""
        return self.bytes_each * self.count


@dataclasses.dataclass(frozen=True)
class MemoryPlan:
    """What a layout needs of each device, part by part."""

    layout: Layout
    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """Bytes that must be there."""
        return sum(part.num_bytes for part in self.parts)

    @property
    def of_call(self) -> int:
        """Bytes that the compiled program reports: argument + output - alias + temp."""
        return sum(part.num_bytes for part in self.parts if not part.beside)


class Memory:
    """What a group's layouts need; it remembers what was compiled to know it.

    Args:
        group: the trials' program.
    """

    def __init__(self, group: Group) -> None:
        self.group = group
        self._temp: dict[tuple[int, int, int], int] = {}  # by `_kind`
        one = Program(group, Layout(1, 1, 1))
        jaxpr, (_, outputs) = one.trace("advance")
        self._lane, self._kept_bytes = one.lane_type, num_bytes(one.kept_type)
        self._call_bytes = num_bytes(outputs) + num_bytes(one.input_types()["advance"])
        self._call_ticks = one.group.call_ticks
        self._most_temp = CAREFUL * peak_bytes(jaxpr)

    def plan(self, layout: Layout) -> MemoryPlan:
        """What a layout needs; one or two small programs may be compiled to know it."""
        temp = self._temp_bytes(layout)
        return MemoryPlan(layout, (*self._known(layout), *self._working(layout, temp)))

    def fits(self, layout: Layout, limit: int) -> bool:
        """Whether a layout needs at most `limit` bytes of each device.

        Nothing is compiled where that is plain.
        """
        known = sum(part.num_bytes for part in self._known(layout))
        if known > limit:
            return False
        if known + layout.width * self._most_temp <= limit:
            return True
        return self.plan(layout).total <= limit

    def shrink(self, layout: Layout, limit: int) -> Layout | None:
        """The layout, or one with fewer lanes that fits; None where no lane does.

        Fewer chunks first, which change no bit; then narrower ones.
        """
        width = layout.width
        while width:
            for chunks in range(layout.lanes_per_device // width, 0, -1):
                smaller = dataclasses.replace(layout, chunks=chunks, width=width)
                if self.fits(smaller, limit):
                    return smaller
            width //= 2
        return None

    def per_example(self) -> int | None:
        """Bytes of activations that an example of a batch needs; None if unknown.

        From programs of two lanes for the batch and for half of it: by so much falls
        what a call needs. It hardly falls where an evaluation needs more than a step.
        """
        group, size, lanes = self.group, self.group.tick_examples, min(SMALL)
        if size < 2:
            return None
        changed: dict[str, Any] = {"micro_batch_size": size // 2}
        if not group.accumulates:
            changed = {"static": {**group.static, "batch_size": size // 2}}
        half = Memory(dataclasses.replace(group, **changed))
        two = Layout(1, 1, lanes)
        fall = self._measured(two) - half._measured(two)
        return max(fall // (lanes * (size - size // 2)), 0)

    def saved_by_snapshots(self, layout: Layout) -> int:
        """Bytes that are saved where lanes do not carry their best states.

        Those are in the lanes and in every copy of them; instead, one is copied.
        """
        if not self.group.best_in_lane:
            return 0
        return len(COPIES) * self._kept_bytes * layout.lanes_per_device

    def learn(self, program: Program) -> MemoryPlan:
        """The plan by what a program reports that was compiled at its own layout."""
        layout = program.layout
        temps = [r.temp_size_in_bytes for r in program.reported.values()]
        self._temp[_kind(layout)] = max(temps)
        return self.plan(layout)

    def _known(self, layout: Layout) -> tuple[Part, ...]:
        """What is known from the types alone."""
        lanes, trained = layout.lanes_per_device, num_bytes(self._lane.trained)
        state, best = self._state_bytes(), num_bytes(self._lane.trained.best)
        # Of more lanes the host may read the batches of fewer ticks at once.
        ticks = self.group.segment_steps // feed.segment_calls(self.group, layout)
        call = -(-self._call_bytes * ticks // self._call_ticks)
        pending = num_bytes(self._lane.trained.pending)
        rest = num_bytes(self._lane) - sum(state.values()) - best - pending
        state |= {BEST: best, "sums of micro-batches": pending}
        copies: dict[str, int] = dict.fromkeys(COPIES, trained)
        if not self.group.best_in_lane:
            copies["copy of what may be best"] = self._kept_bytes
        return (
            *(Part(name, size, lanes, LANE) for name, size in state.items() if size),
            Part("keys, hyperparameters", rest, lanes, LANE),
            Part("data", self._data_bytes(), 1, DEVICE),
            Part("inputs, outputs of a call", call, lanes, LANE),
            Part("the same of the call before", call, lanes, LANE, True),
            *(Part(name, size, lanes, LANE, True) for name, size in copies.items()),
        )

    def _working(self, layout: Layout, temp: int) -> tuple[Part, ...]:
        """What a call needs besides: gradients, and what else a step makes."""
        width = layout.width
        gradient = min(self._state_bytes().get("parameters", 0), temp // width)
        parts = [
            Part("gradients", gradient, width, CHUNK),
            Part(ACTIVATIONS, temp // width - gradient, width, CHUNK),
        ]
        return tuple(part for part in parts if part.bytes_each)

    def _state_bytes(self) -> dict[str, int]:
        """The task's state by what it is."""
        state = self._lane.trained.state
        if not isinstance(state, SupervisedState):
            return {"state": num_bytes(state)}
        extra = 0
        params = state.variables
        if isinstance(params, Variables):
            params, extra = params.params, num_bytes(params.extra)
        return {
            "parameters": num_bytes(params),
            "state without a gradient": extra,
            "optimizer state": num_bytes(state.optimizer),
        }

    def _data_bytes(self) -> int:
        """An array that occurs twice lies on a device once."""
        leaves = {id(leaf): leaf for leaf in jax.tree.leaves(self.group.data)}
        return num_bytes(list(leaves.values()))

    def _temp_bytes(self, layout: Layout) -> int:
        """What a call needs beside arguments and results: on the line of two widths."""
        width = layout.width
        if width <= max(SMALL):
            return self._measured(layout)
        if _kind(layout) in self._temp:
            return self._temp[_kind(layout)]
        for small in SMALL:
            self._measured(dataclasses.replace(layout, width=small))
        chunks, _, parts = _kind(layout)
        alike = [kind for kind in self._temp if kind == (chunks, kind[1], parts)]
        known = {kind[1]: self._temp[kind] for kind in alike}
        one, other = sorted(known, key=lambda w: abs(w - width))[:2]
        slope = (known[other] - known[one]) / (other - one)
        return max(int(known[one] + slope * (width - one)), 0)

    def _measured(self, layout: Layout) -> int:
        kind = _kind(layout)
        if kind not in self._temp:
            program = Program(self.group, Layout(1, *kind))
            with calibrating():
                analysis = program.build("advance").memory_analysis()
            self._temp[kind] = analysis.temp_size_in_bytes
        return self._temp[kind]


def _kind(layout: Layout) -> tuple[int, int, int]:
    """Chunks, width and parts of a layout that needs as much beside its lanes."""
    return min(layout.chunks, 2), layout.width, layout.parts
