"""Batches that the host reads: gathered by threads, a call ahead of the devices.

What a trial sees at a step is a pure function of its numbers and the step. So batches
are named by these, and whatever was read ahead of need for a trial that broke, or was
not foreseen for one that took its lane, costs time but changes no bit.

An example that cannot be read is the loss of the trials that need it, and of nobody
else; but where none can be, the data are out of reach, and that is no trial's fault.

Of the batches of one call there are never more than three in memory: those that the
devices train on, those sent after them, and those being read.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import jax
import numpy as np

from tuner.lanes import host_order
from tuner.lanes.layout import Layout
from tuner.lanes.trial import DATA, Group
from tuner.study.source import Source, UnreadableError

CALLS_IN_FLIGHT = 3
POLL_SECONDS = 0.002  # how finely it is told whether the devices wait
TELLING = 5.0  # seconds of training: the first calls say little
WORTH_TELLING = 0.1  # of the time spent waiting


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


def segment_calls(group: Group, layout: Layout) -> int:
    """In how few calls a segment's batches fit into the source's buffer.

    Trials begin at the ticks where calls do, whatever the calls were that made them.
    """
    source, ticks = group.task.train, group.segment_steps
    if not isinstance(source, Source):
        return 1
    most = max(source.buffer_bytes // tick_bytes(group, layout), 1)
    aligned = math.gcd(ticks, group.start_ticks)
    lengths = [n for n in range(1, aligned + 1) if aligned % n == 0]
    return ticks // max(n for n in lengths if n <= most)


def tick_bytes(group: Group, layout: Layout) -> int:
    """What one tick of all lanes costs the host, over all calls in flight."""
    source = group.task.train
    assert isinstance(source, Source)
    examples = layout.lanes * group.tick_examples
    return CALLS_IN_FLIGHT * examples * source.example_bytes


def fits(group: Group, layout: Layout) -> bool:
    """Whether the source's buffer has room for the lanes of a layout."""
    source = group.task.train
    if not isinstance(source, Source):
        return True
    return tick_bytes(group, layout) <= source.buffer_bytes


def check(group: Group, layout: Layout) -> None:
    """Refuse a layout whose batches would not fit into the source's buffer."""
    source = group.task.train
    if isinstance(source, Source) and not fits(group, layout):
        raise ValueError(
            f"{CALLS_IN_FLIGHT} batches of every lane must fit into the source's "
            f"buffer, but {CALLS_IN_FLIGHT} x {layout.lanes} lanes x "
            f"{group.tick_examples} examples of {source.example_bytes:,} bytes are "
            f"{tick_bytes(group, layout):,} (buffer_bytes={source.buffer_bytes:,}): "
            "let examples be smaller (uint8, turned into floats in augment= or loss=), "
            "take fewer lanes (layout=), or a larger buffer_bytes="
        )


def remedies(source: Source) -> str:
    """What helps where reading does not keep up."""
    return (
        f"try more threads= than {source.threads} where reading waits for a disk or a "
        "network, make examples cheaper to read (decoded, cut, uint8), or hold all on "
        f"the device, train=source.load(): {len(source):,} examples of "
        f"{source.example_bytes:,} bytes"
    )


def repeated(group: Group, numbers: tuple[int, int, int], lanes: int) -> Any:
    """One trial's first batches in every lane: to time a call without any reading."""
    one = read(group, Piece(numbers, 0, group.call_ticks))
    return jax.tree.map(lambda a: np.repeat(a[None], lanes, axis=0), one)


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
        self._complained = False
        self.seconds = self.starved_seconds = 0.0

    def take(self, pieces: Mapping[int, Piece], is_idle: Callable[[], bool]) -> Any:
        """The batches of a call by lanes, each array [lanes, ticks, examples, ...].

        Args:
            pieces: what each live lane trains on; all of as many ticks.
            is_idle: whether the devices have done all they were given.
        """
        places: dict[Piece, list[tuple[int, slice]]] = {}
        for lane, piece in pieces.items():
            for part in self._parts(piece):
                first = part.tick - piece.tick
                where = lane, slice(first, first + part.ticks)
                places.setdefault(part, []).append(where)
        self._read_ahead(places)
        self._wait([self._ahead[part] for part in places], is_idle)
        for part in places:
            self._ahead[part].result()
        ticks = next(iter(pieces.values())).ticks
        batches = jax.tree.map(
            lambda a: np.zeros((self._lanes, ticks, *a.shape), a.dtype),
            self._group.batch_type,
        )
        for part, lanes in places.items():
            rows = self._ahead.pop(part).result()
            for where in lanes:
                _fill(batches, where, rows)
        return batches

    def unreadable(
        self, pieces: Mapping[int, Piece], is_idle: Callable[[], bool]
    ) -> dict[int, str]:
        """The lanes whose batches cannot be read, and why: all that `take` would miss.

        Args:
            pieces: as in `take`.
            is_idle: as in `take`.

        Raises:
            UnreadableError: where no example can be read at all.
            Exception: whatever else reading has failed with.
        """
        parts = {lane: self._parts(piece) for lane, piece in pieces.items()}
        wanted = dict.fromkeys(part for mine in parts.values() for part in mine)
        errors = self._errors(wanted, is_idle)
        if errors:  # which may have been so for a moment, some time ago
            errors = self._errors(wanted, is_idle)
        return {
            lane: next(errors[part].what for part in mine if part in errors)
            for lane, mine in parts.items()
            if not errors.keys().isdisjoint(mine)
        }

    def expect(self, pieces: Iterable[Piece]) -> None:
        """Begin to read what the next call is likely to need, and that alone."""
        wanted = [part for piece in pieces for part in self._parts(piece)]
        for part in set(self._ahead).difference(wanted):
            self._ahead.pop(part).cancel()
        self._read_ahead(wanted)

    @property
    def starved_share(self) -> float:
        """The part of the time in which the devices waited for batches."""
        return self.starved_seconds / self.seconds if self.seconds else 0.0

    def complaint(self) -> str:
        """A line about devices that wait for batches, once; or nothing."""
        share = self.starved_share
        if self._complained or self.seconds < TELLING or share < WORTH_TELLING:
            return ""
        self._complained = True
        source = self._group.task.train
        assert isinstance(source, Source)
        gain = 1 / max(1 - share, 0.01)  # more where reading keeps the devices' cores
        return (
            f"input-bound: {share:.0%} of the time the devices wait for batches; with "
            f"batches at hand training would be at least {gain:.1f} times as fast: "
            f"{remedies(source)}"
        )

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
        now = time.perf_counter()
        for future in reading:
            while not future.done():
                starved, before = is_idle(), now
                wait([future], POLL_SECONDS)
                now = time.perf_counter()
                if starved and self._started is not None:
                    self.starved_seconds += now - before
        self._started = self._started or now
        self.seconds = now - self._started

    def _errors(
        self, wanted: Iterable[Piece], is_idle: Callable[[], bool]
    ) -> dict[Piece, UnreadableError]:
        """What cannot be read although something can; read anew if asked again."""
        self._read_ahead(wanted)
        self._wait([self._ahead[part] for part in wanted], is_idle)
        found = {part: self._ahead[part].exception() for part in wanted}
        errors = {p: e for p, e in found.items() if isinstance(e, UnreadableError)}
        others = [e for p, e in found.items() if e is not None and p not in errors]
        source = self._group.task.train
        assert isinstance(source, Source)
        if others or (errors and not source.answers):
            self.expect(())  # what others would read is of no use any more
            raise (others or list(errors.values()))[0]
        for part in errors:
            self._ahead.pop(part)
        return errors


def _fill(batches: Any, where: tuple[int, slice], rows: Any) -> None:
    jax.tree.map(lambda a, b: a.__setitem__(where, b), batches, rows)
