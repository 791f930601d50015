"""Where programs are built: beside training, one at a time, each once.

A thread compiles; the driver waits only where it has nothing to train, and even then a
request to stop is heard at once. A layout is measured only while nothing trains.
"""

import concurrent.futures
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from tuner.lanes.engine import Engine
from tuner.lanes.job import Job
from tuner.lanes.layout import Layout
from tuner.lanes.trial import Group
from tuner.rounds.layouts import Layouts

POLL_SECONDS = 0.05  # between two looks at the request to stop


class Workshop:
    """Builds the engines of a run.

    Args:
        layouts: decides each program's layout.
        stop: set when the run was asked to stop.
        waiting: called with a program's name, how many trials it is to train, and its
            layout as far as it is known, when training has to wait for it.
    """

    def __init__(
        self,
        layouts: Layouts,
        stop: threading.Event,
        waiting: Callable[[str, int, Layout], None],
    ) -> None:
        self._layouts, self._stop, self._waiting = layouts, stop, waiting
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "build")
        self._building: dict[str, Future[Engine]] = {}

    def prepare(self, name: str, group: Group, jobs: Sequence[Job]) -> None:
        """Begin to build a program while another trains, unless it must be measured."""
        if name not in self._building and self._layouts.is_foregone(name):
            self._submit(name, group, jobs, may_measure=False)

    def engine(
        self, name: str, group: Group, jobs: Sequence[Job], *, wait: bool
    ) -> Engine | None:
        """The engine of a program; None where it is not to be had yet.

        Args:
            name: of the program.
            group: what its trials have in common.
            jobs: what it is to train.
            wait: until it is built, or the run is asked to stop: nothing trains.
        """
        self.prepare(name, group, jobs)
        if wait and name not in self._building:
            self._submit(name, group, jobs, may_measure=True)
        if name not in self._building:
            return None
        building = self._building[name]
        if wait and not building.done():
            self._waiting(name, len(jobs), self._layouts.guess(name, len(jobs))[0])
        while wait and not building.done() and not self._stop.is_set():
            concurrent.futures.wait([building], timeout=POLL_SECONDS)
        return building.result() if building.done() else None

    def _submit(self, name, group, jobs, *, may_measure):
        def build() -> Engine:
            program = self._layouts.build(name, group, jobs, may_measure=may_measure)
            return Engine(program)

        self._building[name] = self._pool.submit(build)

    def __enter__(self) -> "Workshop":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """After an error nothing is left that still builds, or lies on the devices."""
        self._pool.shutdown(wait=kind is not None, cancel_futures=True)
        for built in filter(Future.done, self._building.values()):
            if not built.cancelled() and built.exception() is None:
                built.result().rest()
