"""The engine of one group: trials wait, take a lane, train, leave it to the next.

The host works one segment behind the device: while a segment runs, the results of the
one before are read. So a trial that broke is noticed one segment late; meanwhile it
runs on, ignored, and no neighbour sees it.
"""

import dataclasses
import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from tuner.lanes.feed import Feed, Piece
from tuner.lanes.job import Job
from tuner.lanes.placement import Placement
from tuner.lanes.program import Program
from tuner.lanes.state import flatten


@dataclasses.dataclass(frozen=True, kw_only=True)
class Copied:
    """States copied out of lanes: row i of every array is of trials[i], at steps[i]."""

    what: str  # branch | end | running
    trials: tuple[int, ...]
    steps: tuple[int, ...]
    arrays: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Segment:
    """What one segment of several trials brought to the host.

    Attributes:
        trials: their numbers, [trials].
        base: the step before the segment's first, [trials].
        good: steps before the first that was not finite, [trials].
        rates: by name, [trials, steps].
        train: metrics of the steps, [trials, steps].
        valid: metrics of the evaluation at the end, [trials].
        best_objective: smaller is better whatever the direction, [trials].
        best_step: -1 where there is none yet, [trials].
        copied: states that left the lanes with it.
        ended: trials whose last segment it is.
    """

    trials: np.ndarray
    base: np.ndarray
    good: np.ndarray
    rates: Mapping[str, np.ndarray]
    train: Mapping[str, np.ndarray]
    valid: Mapping[str, np.ndarray]
    best_objective: np.ndarray
    best_step: np.ndarray
    copied: tuple[Copied, ...]
    ended: tuple[int, ...]


class Engine:
    """Trains jobs in the lanes of a program, longest remaining work first.

    Attributes:
        calls: segments sent to the devices.
        lane_segments: segments of trials among them.
        slot_segments: segments computed, those of empty lanes of live chunks included.
        feed: what reads the batches, where the host does.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.layout = program.layout
        self.calls = self.lane_segments = self.slot_segments = 0
        self._waiting: list[tuple[int, int, Job]] = []
        devices = range(program.layout.devices)
        self._lanes: list[list[_Occupant | None]] = [[] for _ in devices]
        self._flight: _Flight | None = None
        group = program.group
        self.feed = Feed(group, program.layout.lanes) if group.is_fed else None

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue jobs; their order changes nothing but the timing."""
        for job in jobs:
            remaining = job.horizon - job.start_step
            heapq.heappush(self._waiting, (-remaining, job.trial, job))

    @property
    def busy(self) -> bool:
        """Whether there is anything to train, or to read."""
        return bool(self._waiting or self._flight or any(self._occupied()))

    @property
    def num_waiting(self) -> int:
        """Trials that have no lane yet."""
        return len(self._waiting)

    def advance(self, *, launch: bool = True, copy: bool = False) -> Segment | None:
        """Send one segment to the devices, then read the one before, if there is one.

        Args:
            launch: False reads only: the lanes stand still then.
            copy: bring the states of all trials in lanes with what is read, so that
                rows and states are of the same segment.
        """
        before, self._flight = self._flight, None
        if before:
            self._collect(before, copy)
        if launch:
            self._fill()
            self._flight = self._launch(before)
        return self._read(before) if before else None

    def _collect(self, flight: "_Flight", copy: bool) -> None:
        """Copy out what is due and free the lanes of trials that have ended.

        The copies are sent off before anything can reuse the lanes.
        """
        due = {"branch": [], "end": [], "running": []}
        for device, slot, occupant in self._occupied():
            if occupant.has_ended:
                due["end"].append((device, slot, occupant))
                flight.ended.append(occupant.job.trial)
                self._lanes[device][slot] = None
            elif copy:
                due["running"].append((device, slot, occupant))
            if occupant.at_branch:
                due["branch"].append((device, slot, occupant))
        for what, places in due.items():
            flight.taken += self._take(what, places)

    def _take(self, what: str, places: Sequence["_Place"]) -> Iterator["_Taken"]:
        """Copies of lanes, as many of each device at once as `take` has room for."""
        devices, room = self.layout.devices, self.layout.width
        left = [[p for p in places if p[0] == device] for device in range(devices)]
        while any(left):
            index = np.zeros((devices, room), np.int32)
            rows, occupants = [], []
            for device in range(devices):
                now, left[device] = left[device][:room], left[device][room:]
                for row, (_, slot, occupant) in enumerate(now):
                    index[device, row] = slot
                    rows.append(device * room + row)
                    occupants.append((occupant.job.trial, occupant.step))
            yield _Taken(what, rows, occupants, self.program.take(index.reshape(-1)))

    def _fill(self) -> None:
        """Move trials forward into holes, then give free lanes to those waiting."""
        placement = Placement(self.layout, self.program.group.traced)
        for device, occupants in enumerate(self._lanes):
            live = sum(o is not None for o in occupants)
            holes = [slot for slot in range(live) if occupants[slot] is None]
            movers = [s for s in range(live, len(occupants)) if occupants[s]]
            for hole, mover in zip(holes, movers, strict=True):
                placement.move(device, mover, hole)
                occupants[hole] = occupants[mover]
            del occupants[live:]
        while self._waiting and min(map(len, self._lanes)) < placement.room:
            job = heapq.heappop(self._waiting)[-1]
            device = min(range(len(self._lanes)), key=lambda d: len(self._lanes[d]))
            placement.start(device, len(self._lanes[device]), job)
            self._lanes[device].append(_Occupant(job, job.start_step))
        if placement.changed:
            self.program.load(placement.inputs())
        for inputs in placement.restores(self.program.trained_type):
            self.program.restore(inputs)

    def _launch(self, before: "_Flight | None") -> "_Flight | None":
        """Send one segment of every occupied lane to the devices, after another."""
        places = list(self._occupied())
        if not places:
            return None
        layout, group = self.layout, self.program.group
        steps = group.segment_steps
        zeros = np.zeros(layout.lanes, np.int32)
        base, epoch, offset = zeros.copy(), zeros.copy(), zeros.copy()
        rates = {
            name: np.zeros((layout.lanes, steps), np.float32)
            for name in group.scheduled
        }
        lanes = []
        pieces: dict[int, Piece] = {}
        for device, slot, occupant in places:
            lane = device * layout.lanes_per_device + slot
            first = base[lane] = occupant.step
            pieces[lane] = Piece(occupant.job.numbers, first, steps)
            epoch[lane], offset[lane] = group.epoch_and_offset(occupant.step)
            for name, values in rates.items():
                values[lane] = occupant.job.rates[name][first : first + steps]
            occupant.step += steps
            lanes.append(lane)
        live_chunks = [-(-len(lanes) // layout.width) for lanes in self._lanes]
        self.calls += 1
        self.lane_segments += len(places)
        self.slot_segments += sum(live_chunks) * layout.width
        inputs: dict[str, Any] = {
            "rates": rates,
            "step": base,
            "epoch": epoch,
            "offset": offset,
            "live_chunks": np.array(live_chunks, np.int32),
        }
        if self.feed:
            inputs["batches"] = self.feed.take(pieces, lambda: _is_done(before))
        outputs = self.program.advance(inputs)
        if self.feed:
            self.feed.expect(self._expected())
        rows = np.array(lanes)
        return _Flight(
            occupants=[occupant for _, _, occupant in places],
            lanes=rows,
            base=base[rows],
            rates={name: values[rows] for name, values in rates.items()},
            outputs=outputs,
        )

    def _expected(self) -> Iterator[Piece]:
        """What the next call will train on, unless a trial breaks."""
        going_on = [o for _, _, o in self._occupied() if not o.has_ended]
        free = self.layout.lanes - len(going_on)
        coming = [job for _, _, job in heapq.nsmallest(free, self._waiting)]
        steps = self.program.group.segment_steps
        for occupant in going_on:
            yield Piece(occupant.job.numbers, occupant.step, steps)
        for job in coming:
            yield Piece(job.numbers, job.start_step, steps)

    def _read(self, flight: "_Flight") -> Segment:
        """Wait for a call, and bring its results to the host."""
        outputs = jax.device_get(flight.outputs)
        sound = np.array([not o.broken for o in flight.occupants])
        rows = flight.lanes[sound]
        oks = outputs["ok"][rows]
        good = np.where(oks.all(1), oks.shape[1], oks.argmin(1))
        occupants = [o for o in flight.occupants if not o.broken]
        for occupant, count in zip(occupants, good, strict=True):
            occupant.broken = bool(count < oks.shape[1])
        return Segment(
            trials=np.array([o.job.trial for o in occupants], np.int32),
            base=flight.base[sound],
            good=good,
            rates={name: values[sound] for name, values in flight.rates.items()},
            train={name: a[rows] for name, a in outputs["train"].items()},
            valid={name: a[rows] for name, a in outputs["valid"].items()},
            best_objective=outputs["best_objective"][rows],
            best_step=outputs["best_step"][rows],
            copied=tuple(taken.fetch() for taken in flight.taken),
            ended=tuple(flight.ended),
        )

    def _occupied(self) -> Iterator["_Place"]:
        """Device, slot and trial of every lane that trains one."""
        for device, occupants in enumerate(self._lanes):
            for slot, occupant in enumerate(occupants):
                if occupant is not None:
                    yield device, slot, occupant


@dataclasses.dataclass
class _Occupant:
    """A trial in a lane: where it will be after the last call that was sent."""

    job: Job
    step: int
    broken: bool = False

    @property
    def has_ended(self) -> bool:
        return self.broken or self.step == self.job.horizon

    @property
    def at_branch(self) -> bool:
        return self.step == self.job.branch_step and not self.broken


_Place = tuple[int, int, _Occupant]  # device, slot, trial


@dataclasses.dataclass(frozen=True)
class _Taken:
    """Copies on the devices, on their way to the host."""

    what: str
    rows: list[int]
    occupants: list[tuple[int, int]]  # trial, step
    trained: Any

    def fetch(self) -> Copied:
        """Bring them to the host, without the rows that only fill up."""
        arrays = {
            path: np.asarray(leaf)[self.rows]
            for path, leaf in flatten(self.trained).items()
        }
        trials, steps = zip(*self.occupants, strict=True)
        return Copied(what=self.what, trials=trials, steps=steps, arrays=arrays)


@dataclasses.dataclass
class _Flight:
    """A call that has not been read, and what was taken out of the lanes after it."""

    occupants: list[_Occupant]
    lanes: np.ndarray
    base: np.ndarray
    rates: Mapping[str, np.ndarray]
    outputs: Any
    taken: list[_Taken] = dataclasses.field(default_factory=list)
    ended: list[int] = dataclasses.field(default_factory=list)


def _is_done(flight: _Flight | None) -> bool:
    """Whether the devices have trained all that they were sent."""
    return flight is None or flight.outputs["ok"].is_ready()
