"""Waiting for room on a full disk: the run pauses, and goes on when there is some.

Training pauses with it, for what it brings cannot be kept. Nothing is lost: what was
committed lies on the disk, what is to be committed in memory.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tuner.rounds.display import Display
from tuner.store import space
from tuner.store.space import FullDiskError
from tuner.store.writer import Writer

POLL_SECONDS = 2.0


@contextmanager
def pausing(writer: Writer, display: Display, stop: threading.Event) -> Iterator[None]:
    """Lets a writer wait for room; ends quietly what was asked to stop while it did.

    Args:
        writer: of the run.
        display: is told, from the thread that writes.
        stop: set when the run is asked to stop.
    """

    def wait(full: FullDiskError) -> None:
        display.note(f"paused: {full}; then the run goes on")
        while True:
            if stop.wait(POLL_SECONDS):
                raise full
            if space.has_room(full.directory, full.needed):
                break
        display.note("there is room on the disk again: the run goes on")

    writer.on_full = wait
    try:
        yield
    except FullDiskError:
        if not stop.is_set():
            raise
        display.note("left while the disk was full: what was committed is kept")
