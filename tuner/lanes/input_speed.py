"""Whether reading keeps up with training: real data against a cached batch.

The two are measured one after the other: examples that the source's threads read, and
examples that the compiled program takes when every lane is handed the same batches over
and over. While a study trains, both happen at once, so on a CPU, where they share the
cores, reading is slower than here.
"""

import dataclasses
import itertools
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from tuner.lanes import calibration
from tuner.lanes.feed import Piece, read
from tuner.lanes.job import Job
from tuner.lanes.layout import Layout
from tuner.lanes.program import Program
from tuner.lanes.trial import Group
from tuner.study.source import Source

SECONDS = 1.0  # of reading


@dataclasses.dataclass(frozen=True)
class InputSpeed:
    """Examples a second.

    Attributes:
        read: by the source's threads, nothing else going on.
        trained: by all lanes of a program on cached batches, evaluations included.
    """

    read: float
    trained: float

    @property
    def waiting_share(self) -> float:
        """The part of the time in which the devices would wait for batches."""
        return max(1 - self.read / self.trained, 0.0)


def measure(group: Group, layout: Layout, job: Job) -> InputSpeed:
    """Read for a second, and time a few calls of the compiled program.

    Args:
        group: the trials' program, whose batches the host reads.
        layout: of it.
        job: any of its trials, from its beginning.
    """
    program = Program(group, layout)
    program.compile(only=("advance", "load"))
    ticks_per_second = calibration.speed(program, [job]).ticks_per_second
    program.rest()
    return InputSpeed(reading(group, job), ticks_per_second * group.tick_examples)


def reading(group: Group, job: Job, seconds: float = SECONDS) -> float:
    """Examples a second that the source's threads read, of a trial's first batches."""
    source = group.task.train
    assert isinstance(source, Source)
    ticks = itertools.count()
    pieces = (Piece(job.numbers, tick, 1) for tick in ticks)
    started = time.perf_counter()
    with ThreadPoolExecutor(source.threads, "tuner-read") as pool:
        batches = sum(_until(started + seconds, group, pieces, pool, source.threads))
    return batches * group.tick_examples / (time.perf_counter() - started)


def _until(
    end: float,
    group: Group,
    pieces: Iterator[Piece],
    pool: ThreadPoolExecutor,
    threads: int,
) -> Iterator[int]:
    """How many batches were read, again and again; every thread reads one at least."""
    pending = {pool.submit(read, group, next(pieces)) for _ in range(threads)}
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()  # raises what reading has raised
        yield len(done)
        if time.perf_counter() < end:
            pending |= {pool.submit(read, group, next(pieces)) for _ in done}
