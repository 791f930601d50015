"""A trial in a lane, and what a call of the program is told of it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tuner.lanes.job import Job
from tuner.lanes.layout import Layout
from tuner.lanes.trial import Group


@dataclasses.dataclass
class Occupant:
    """A trial in a lane.

    Attributes:
        job: what is asked of it.
        tick: where it will be after the last call that was sent.
        broken: whether it is known to have left the finite numbers.
    """

    job: Job
    tick: int
    broken: bool = False

    @property
    def step(self) -> int:
        """The updates it has made then."""
        return self.tick // self.job.micros

    @property
    def has_ended(self) -> bool:
        """Whether its lane is free then."""
        return self.broken or self.tick == self.job.horizon * self.job.micros

    def is_due(self, segment_steps: int) -> bool:
        """Whether it is evaluated then."""
        return self.tick % (segment_steps * self.job.micros) == 0

    @property
    def at_branch(self) -> bool:
        """Whether its state is then the one to keep for promotion."""
        branch = self.job.branch_step
        if branch is None or self.broken:
            return False
        return self.tick == branch * self.job.micros


def call_inputs(
    group: Group,
    layout: Layout,
    lanes: np.ndarray,
    occupants: Sequence[Occupant],
) -> dict[str, Any]:
    """What a call needs to know of each lane's trial; what is in no lane is ignored."""
    ticks, micros = np.arange(group.call_ticks), np.ones(layout.lanes, np.int32)
    zeros = np.zeros(layout.lanes, np.int32)
    inputs = {name: zeros.copy() for name in ("step", "epoch", "offset", "micro")}
    rates = {
        n: np.zeros((layout.lanes, len(ticks)), np.float32) for n in group.scheduled
    }
    due = np.zeros(layout.lanes, np.bool_)
    for lane, occupant in zip(lanes, occupants, strict=True):
        job, tick = occupant.job, occupant.tick
        micros[lane] = job.micros
        inputs["step"][lane], inputs["micro"][lane] = divmod(tick, job.micros)
        inputs["epoch"][lane], inputs["offset"][lane] = group.epoch_and_offset(tick)
        due[lane] = (tick + len(ticks)) % (group.segment_steps * job.micros) == 0
        counts = (tick + ticks) // job.micros
        for name, values in rates.items():
            values[lane] = job.rates[name][counts]
    if group.accumulates:
        inputs["micros"] = micros
    else:
        del inputs["micro"]
    apart = {"due": due} if group.has_due else {}
    return inputs | {"rates": rates} | apart
