"""Leaving when asked to: the first signal ends after a commit, the second at once.

A Python signal handler runs only when the main thread returns from C++, and an
exception raised inside JAX can crash it. So nothing is raised: a thread that waits on
the wake-up pipe answers, and the driver looks at a flag between segments.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from tuner.rounds.exits import Exit

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_watches: list["Watch"] = []  # those that have begun; the last one answers
_stops: list[threading.Event] = []  # of `stop_on_signals`, where it has begun


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second leaves with 130.

    Inside of another, the event of that one. Outside the main thread, where signals
    cannot be handled, an event that nobody sets. The handlers from before are put back
    at the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield threading.Event()
        return
    if _stops:
        yield _stops[-1]
        return
    stop = threading.Event()

    def answer() -> None:
        if stop.is_set():
            os._exit(Exit.LEFT)  # the last commit stands
        stop.set()

    watch = Watch(answer)
    watch.begin()
    _stops.append(stop)
    try:
        yield stop
    finally:
        _stops.remove(stop)
        watch.end()


@contextlib.contextmanager
def stop_before_the_start() -> Iterator[None]:
    """The same while nothing is written yet, unless who called us answers signals.

    The command does: it leaves at once for as long as there is nothing to save.
    """
    with contextlib.nullcontext() if _watches else stop_on_signals():
        yield


class Watch:
    """Answers signals in a thread of its own, from its beginning to its end.

    Args:
        answer: called for each signal, and never from inside a library.
    """

    def __init__(self, answer: Callable[[], None]) -> None:
        self._answer = answer

    def begin(self) -> None:
        """Take the signals over; only the main thread can."""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        # One that was set outside of Python is None, and cannot be put back.
        ours = [s for s in SIGNALS if signal.getsignal(s) is not None]
        self._before = {number: signal.signal(number, _nothing) for number in ours}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        _watches.append(self)

    def end(self) -> None:
        """Put back what was before, once all that has come by now is answered."""
        self._put_back(self._wakeup)
        os.close(self._writer)
        self._thread.join()
        os.close(self._reader)

    def forget(self) -> None:
        """In a child after a fork: who ends the child means the child alone."""
        self._put_back(-1)
        os.close(self._writer)
        os.close(self._reader)

    def _put_back(self, wakeup: int) -> None:
        _watches.remove(self)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)

    def _watch(self) -> None:
        while number := os.read(self._reader, 1):
            if number[0] in SIGNALS:
                self._answer()


def _nothing(number: int, frame: object) -> None:
    """In place of the default, which would raise or kill."""


def _forget_all() -> None:
    _stops.clear()
    for watch in reversed(_watches[:]):
        watch.forget()


os.register_at_fork(after_in_child=_forget_all)
