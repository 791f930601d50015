"""Commits beside training: a thread writes one while the lanes go on.

What is handed over is complete in itself, so nothing waits for the disk but the next
commit, and whoever reads back what was written.
"""

import concurrent.futures
import time

from tuner.lanes.phases import phase
from tuner.rounds.cadence import Cadence
from tuner.store.writer import Commit, Writer

MOST_KEPT_BYTES = 2**25


class Committer:
    """Writes commits in order, one at a time."""

    def __init__(self, writer: Writer) -> None:
        self._cadence = Cadence()
        self._writer = writer
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "commit")
        self._pending: concurrent.futures.Future | None = None

    def is_due(self, kept_bytes: int = 0) -> bool:
        """Whether the time has come for another, and none is being written.

        Waits with a commit that waits for a full disk.

        Args:
            kept_bytes: of states that wait to be kept. They cost the same whenever they
                are written: best beside training, and not all at the end.
        """
        if self._pending is not None and not self._pending.done():
            if not self._writer.is_waiting:
                return False
            self.wait()  # the disk is full: what training brings could not be kept
        return self._cadence.due() or kept_bytes >= MOST_KEPT_BYTES

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

    @phase("commit")
    def _write(self, commit: Commit) -> None:
        started = time.monotonic()
        self._writer.commit(commit)
        self._cadence.committed(time.monotonic() - started)
