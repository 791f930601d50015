"""Batches that the host reads: gathered by threads, a call ahead of the devices.

What a trial sees at a step is a pure function of its numbers and the step. So batches
are named by these, and whatever was read ahead of need for a trial that broke, or was
not foreseen for one that took its lane, costs time but changes no bit.

Of the batches of one call there are never more than three in memory: those that the
devices train on, those sent after them, and those being read.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import jax
import numpy as np

from tuner.lanes import host_order
from tuner.lanes.layout import Layout
from tuner.lanes.trial import DATA, Group
from tuner.study.source import Source

CALLS_IN_FLIGHT = 3
POLL_SECONDS = 0.002  # how finely it is told whether the devices wait


class Piece(NamedTuple):
    """What a trial sees in consecutive ticks."""

    numbers: tuple[int, int, int]  # what its randomness comes from
    tick: int  # ticks before the first
    ticks: int


def read(group: Group, piece: Piece) -> Any:
    """The batches, each array [ticks, examples, ...]."""
    source = group.task.train
    assert isinstance(source, Source)
    epoch, offset = group.epoch_and_offset(piece.tick)
    places = host_order.batch_indices(
        data_key(group.seed, piece.numbers),
        epoch,
        offset,
        steps=piece.ticks,
        batch_size=group.tick_examples,
        num_examples=len(source),
    )
    return source.batch(places)


def data_key(seed: int, numbers: tuple[int, int, int]) -> host_order.Key:
    """The key of a trial's data: `trial.trial_key`, folded by its purpose."""
    key = (seed >> 32, seed & 0xFFFFFFFF)
    for number in (*numbers, DATA):
        key = host_order.fold_in(key, number)
    return key


def check(group: Group, layout: Layout) -> None:
    """Refuse a layout whose batches would not fit into the source's buffer."""
    source, lanes = group.task.train, layout.lanes
    if not isinstance(source, Source):
        return
    examples = lanes * group.call_ticks * group.tick_examples
    needed = CALLS_IN_FLIGHT * examples * source.example_bytes
    if needed > source.buffer_bytes:
        raise ValueError(
            f"the batches of {CALLS_IN_FLIGHT} calls must fit into the source's "
            f"buffer, but {CALLS_IN_FLIGHT} x {lanes} lanes x {group.call_ticks} "
            f"batches x {group.tick_examples} examples of "
            f"{source.example_bytes:,} bytes are {needed:,} "
            f"(buffer_bytes={source.buffer_bytes:,}): let examples be smaller (uint8, "
            "turned into floats in augment= or loss=), evaluate more often "
            "(eval_every), take fewer lanes (layout=), or a larger buffer_bytes="
        )


class Feed:
    """Reads what the lanes of a program are going to train on.

    Attributes:
        seconds: since the first batches were handed over, up to the last.
        starved_seconds: of these, how long the devices had nothing to do but wait.
    """

    def __init__(self, group: Group, lanes: int) -> None:
        source = group.task.train
        assert isinstance(source, Source)
        self._group, self._lanes = group, lanes
        self._threads = source.threads
        self._pool = ThreadPoolExecutor(source.threads, "tuner-read")
        self._ahead: dict[Piece, Future] = {}
        self._started: float | None = None
        self.seconds = self.starved_seconds = 0.0

    def take(self, pieces: Mapping[int, Piece], is_idle: Callable[[], bool]) -> Any:
        """The batches of a call by lanes, each array [lanes, ticks, examples, ...].

        Args:
            pieces: what each live lane trains on; all of as many ticks.
            is_idle: whether the devices have done all they were given.
        """
        parts = {lane: self._parts(piece) for lane, piece in pieces.items()}
        wanted = [part for of_lane in parts.values() for part in of_lane]
        self._read_ahead(wanted)
        self._wait([self._ahead[part] for part in wanted], is_idle)
        ticks = next(iter(pieces.values())).ticks
        batches = jax.tree.map(
            lambda a: np.zeros((self._lanes, ticks, *a.shape), a.dtype),
            self._group.batch_type,
        )
        for lane, of_lane in parts.items():
            for part in of_lane:
                first = part.tick - pieces[lane].tick
                where = lane, slice(first, first + part.ticks)
                _fill(batches, where, self._ahead.pop(part).result())
        return batches

    def expect(self, pieces: Iterable[Piece]) -> None:
        """Begin to read what the next call is likely to need, and that alone."""
        wanted = [part for piece in pieces for part in self._parts(piece)]
        for part in set(self._ahead).difference(wanted):
            self._ahead.pop(part).cancel()
        self._read_ahead(wanted)

    def _parts(self, piece: Piece) -> list[Piece]:
        """A piece so cut that even one lane has work for all threads."""
        ticks = max(1, -(-piece.ticks // self._threads))
        return [
            piece._replace(tick=piece.tick + i, ticks=min(ticks, piece.ticks - i))
            for i in range(0, piece.ticks, ticks)
        ]

    def _read_ahead(self, parts: Iterable[Piece]) -> None:
        for part in parts:
            if part not in self._ahead:
                self._ahead[part] = self._pool.submit(read, self._group, part)

    def _wait(self, reading: list[Future], is_idle: Callable[[], bool]) -> None:
        """Wait, and count how long the devices do the same."""
        waiting = set(reading)
        now = time.perf_counter()
        while waiting:
            starved, before = is_idle(), now
            waiting = wait(waiting, POLL_SECONDS).not_done
            now = time.perf_counter()
            if starved and self._started is not None:
                self.starved_seconds += now - before
        self._started = self._started or now
        self.seconds = now - self._started


def _fill(batches: Any, where: tuple[int, slice], rows: Any) -> None:
    jax.tree.map(lambda a, b: a.__setitem__(where, b), batches, rows)
