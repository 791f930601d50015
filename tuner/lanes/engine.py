"""The engine of one group: trials wait, take a lane, train, leave it to the next.

The host works one call behind the device: while a call runs, the results of the one
before are read. So a trial that broke is noticed one call late; meanwhile it runs on,
ignored, and no neighbour sees it.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from tuner.lanes.copies import Judged, Taken
from tuner.lanes.feed import Feed, Piece
from tuner.lanes.flight import Called, Flight
from tuner.lanes.improved import NOT_EVALUATED
from tuner.lanes.job import Job
from tuner.lanes.occupant import Occupant, call_inputs
from tuner.lanes.phases import phase
from tuner.lanes.placement import Placement
from tuner.lanes.program import Program


class Engine:
    """Trains jobs in the lanes of a program, longest remaining work first.

    Attributes:
        calls: of the program, sent to the devices.
        lane_calls: lanes with a trial in them, added up over the calls.
        slot_calls: lanes computed, the empty ones of live chunks included.
        feed: what reads the batches, where the host does.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.layout = program.layout
        self.calls = self.lane_calls = self.slot_calls = 0
        self._waiting: list[tuple[int, int, Job]] = []
        devices = range(program.layout.devices)
        self._lanes: list[list[Occupant | None]] = [[] for _ in devices]
        self._flight: Flight | None = None
        self._stopped: set[int] = set()
        group = program.group
        self.feed = Feed(group, program.layout.lanes) if group.is_fed else None

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue jobs; their order changes nothing but the timing."""
        for job in jobs:
            heapq.heappush(self._waiting, (-job.ticks, job.trial, job))

    def stop(self, trials: Iterable[int]) -> None:
        """Let trials end at their next evaluation, where their states are kept.

        The segment that leads there may run already; one that waits trains it first.
        """
        self._stopped.update(trials)

    @property
    def busy(self) -> bool:
        """Whether there is anything to train, or to read."""
        return bool(self._waiting or self._flight or any(self._occupied()))

    @property
    def num_waiting(self) -> int:
        """Trials that have no lane yet."""
        return len(self._waiting)

    def advance(self, *, launch: bool = True, copy: bool = False) -> Called | None:
        """Send one call to the devices, then read the one before, if there is one.

        Args:
            launch: False reads only: the lanes stand still then.
            copy: bring the states of all trials in lanes with what is read, so that
                rows and states are of the same call.
        """
        before, self._flight = self._flight, None
        if before:
            self._collect(before, copy)
        if launch:
            self.fill()
            before = self._fail(before)
            self._flight = self._launch(before)
        elif self.feed:
            self.feed.expect(())
        return before.read(self.program) if before else None

    def rest(self) -> None:
        """Give back what the devices hold; trials that were in lanes are lost."""
        self._waiting.clear()
        self._stopped.clear()
        self._flight = None
        if self.feed:
            self.feed.expect(())
        self._lanes = [[] for _ in self._lanes]
        self.program.rest()

    @phase("collect")
    def _collect(self, flight: Flight, copy: bool) -> None:
        """Copy out what is due and free the lanes of trials that have ended.

        The copies are sent off before anything can reuse the lanes.
        """
        if not self.program.group.best_in_lane:
            flight.judged = self._judge(flight)
        due = {"branch": [], "end": [], "running": []}
        segment_steps = self.program.group.segment_steps
        for device, slot, occupant in self._occupied():
            trial = occupant.job.trial
            stopped = trial in self._stopped and occupant.is_due(segment_steps)
            if occupant.has_ended or stopped:
                self._stopped.discard(trial)
                due["end"].append((device, slot, occupant))
                flight.ended.append(trial)
                self._lanes[device][slot] = None
            elif copy:
                due["running"].append((device, slot, occupant))
            if occupant.at_branch:
                due["branch"].append((device, slot, occupant))
        flight.taken += [self._take(what, p) for what, p in due.items() if p]

    def _judge(self, flight: Flight) -> Judged | None:
        """Copies of what is kept of all lanes, where any was evaluated."""
        evaluated = np.full(self.layout.lanes, NOT_EVALUATED, np.int32)
        segment_steps = self.program.group.segment_steps
        trials = {}
        for lane, occupant in zip(flight.lanes.tolist(), flight.occupants, strict=True):
            trials[lane] = occupant.job.trial
            if occupant.is_due(segment_steps) and not occupant.broken:
                evaluated[lane] = occupant.step
        if (evaluated == NOT_EVALUATED).all():
            return None
        return Judged(trials, evaluated, self.program.keep(evaluated))

    def _take(self, what: str, places: Sequence["_Place"]) -> Taken:
        """Copies of lanes; `take` has room for all of each device's."""
        room = self.layout.lanes_per_device
        index = np.zeros((self.layout.devices, room), np.int32)
        occupants: list[list[tuple[int, int]]] = [[] for _ in self._lanes]
        for device, slot, occupant in places:
            index[device, len(occupants[device])] = slot
            occupants[device].append((occupant.job.trial, occupant.step))
        return Taken(what, occupants, self.program.take(index.reshape(-1)))

    @phase("fill")
    def fill(self) -> None:
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
            self._lanes[device].append(Occupant(job, job.start_tick))
        if placement.changed:
            self.program.load(placement.inputs())
        for inputs in placement.restores(self.program.trained_type):
            self.program.restore(inputs)

    def _fail(self, before: Flight | None) -> Flight | None:
        """Free the lanes of trials whose examples cannot be read, for those that wait.

        Their states are kept as they are, and told of with the call before.
        """
        while self.feed:
            pieces, is_idle = self._pieces(), _idle(before)
            unreadable = self.feed.unreadable(pieces, is_idle)
            if not unreadable:
                break
            before = before or Flight.empty()
            lanes = self.layout.lanes_per_device
            lost = [p for p in self._occupied() if p[0] * lanes + p[1] in unreadable]
            before.taken.append(self._take("end", lost))
            for device, slot, occupant in lost:
                trial = occupant.job.trial
                before.ended.append(trial)
                before.failed[trial] = unreadable[device * lanes + slot]
                self._lanes[device][slot] = None
            self.fill()
        return before

    @phase("launch")
    def _launch(self, before: Flight | None) -> Flight | None:
        """Send some ticks of every occupied lane to the devices, after another call."""
        places = list(self._occupied())
        if not places:
            return None
        layout, group = self.layout, self.program.group
        ticks = group.call_ticks
        live_chunks = [-(-len(lanes) // layout.width) for lanes in self._lanes]
        lanes = np.array([d * layout.lanes_per_device + slot for d, slot, _ in places])
        occupants = [occupant for _, _, occupant in places]
        first = np.array([occupant.tick for occupant in occupants], np.int64)
        inputs = call_inputs(group, layout, lanes, occupants)
        rates = {name: values[lanes] for name, values in inputs["rates"].items()}
        inputs["live_chunks"] = np.array(live_chunks, np.int32)
        self.calls += 1
        self.lane_calls += len(places)
        self.slot_calls += sum(live_chunks) * layout.width
        if self.feed:
            is_idle = _idle(before)
            inputs["batches"] = self.feed.take(self._pieces(), is_idle)
        for occupant in occupants:
            occupant.tick += ticks
        outputs = self.program.advance(inputs)
        if self.feed:
            self.feed.expect(self._expected())
        return Flight(occupants, lanes, first, rates, outputs)

    def _pieces(self) -> dict[int, Piece]:
        """What every lane trains on in the next call."""
        lanes, ticks = self.layout.lanes_per_device, self.program.group.call_ticks
        return {
            device * lanes + slot: Piece(occupant.job.numbers, occupant.tick, ticks)
            for device, slot, occupant in self._occupied()
        }

    def _expected(self) -> Iterator[Piece]:
        """What the next call will train on, unless a trial breaks."""
        going_on = [o for _, _, o in self._occupied() if not o.has_ended]
        free = self.layout.lanes - len(going_on)
        coming = [job for _, _, job in heapq.nsmallest(free, self._waiting)]
        ticks = self.program.group.call_ticks
        for occupant in going_on:
            yield Piece(occupant.job.numbers, occupant.tick, ticks)
        for job in coming:
            yield Piece(job.numbers, job.start_tick, ticks)

    def _occupied(self) -> Iterator["_Place"]:
        """Device, slot and trial of every lane that trains one."""
        for device, occupants in enumerate(self._lanes):
            for slot, occupant in enumerate(occupants):
                if occupant is not None:
                    yield device, slot, occupant


_Place = tuple[int, int, Occupant]  # device, slot, trial


def _idle(before: Flight | None) -> Callable[[], bool]:
    """Asks whether the devices have trained all that they were sent."""
    return lambda: before is None or before.is_done
