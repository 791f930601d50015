"""Commits beside training: a thread writes one while the lanes go on.

What is handed over is complete in itself, so nothing waits for the disk but the next
commit, and whoever reads back what was written.
"""

import concurrent.futures
import math
import time
from collections.abc import Callable, Sequence

from tuner.lanes.phases import phase
from tuner.rounds.cadence import Cadence
from tuner.store.snapshots import Stack
from tuner.store.writer import Commit, Saved, Writer

MOST_KEPT_BYTES = 2**24  # that wait to be written, unless the disk is slower


class Committer:
    """Writes commits in order, one at a time."""

    def __init__(self, writer: Writer) -> None:
        self._cadence = Cadence()
        self._writer = writer
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "commit")
        self._pending: concurrent.futures.Future | None = None
        self._saved: list[Saved] = []  # since the last commit

    def is_due(self, seconds_left: Callable[[], float] = lambda: math.inf) -> bool:
        """Whether the time has come for another, and none is being written.

        Args:
            seconds_left: until there will be one anyway.
        """
        return self._is_idle() and self._cadence.due(seconds_left)

    def is_full(self, kept_bytes: int) -> bool:
        """Whether states that wait to be kept are to be written now.

        They cost the same whenever they are: best beside training, not all at the end.
        """
        return kept_bytes >= MOST_KEPT_BYTES and self._is_idle()

    def save(self, kept: Sequence[Stack]) -> None:
        """Hand over states to be kept, ahead of the commit that is to bring them.

        Raises:
            Exception: what the write before has failed with.
        """
        self.wait()
        self._pending = self._pool.submit(self._save, kept)

    def submit(self, commit: Commit) -> None:
        """Hand a commit over, once the one before is durable.

        Raises:
            Exception: what the one before has failed with.
        """
        self.wait()
        self._pending = self._pool.submit(self._write, commit)

    def wait(self) -> None:
        """Until all that was handed over is durable; raises what it failed with."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def __enter__(self) -> "Committer":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)

    def _is_idle(self) -> bool:
        """Whether nothing is being written; waits where that waits for a full disk."""
        if self._pending is not None and not self._pending.done():
            if not self._writer.is_waiting:
                return False
            self.wait()  # what training brings could not be kept
        return True

    @phase("save")
    def _save(self, kept: Sequence[Stack]) -> None:
        self._saved += self._writer.save(kept)

    @phase("commit")
    def _write(self, commit: Commit) -> None:
        started = time.monotonic()
        self._writer.commit(commit, self._saved)
        self._saved = []
        self._cadence.committed(time.monotonic() - started)
