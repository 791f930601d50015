"""Leaving when asked to: the first signal ends after a commit, the second at once.

A Python signal handler runs only when the main thread returns from C++, and an
exception raised inside JAX can crash it. So nothing is raised: a thread that waits on
the wake-up pipe sets a flag, and the driver looks at the flag between segments.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second leaves with 130.

    Outside the main thread, where signals cannot be handled, an event that nobody sets.
    The handlers from before are put back at the end.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _nothing) for number in SIGNALS}
    watcher = threading.Thread(target=_watch, args=(reader, stop), daemon=True)
    watcher.start()
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(writer)
        watcher.join()
        os.close(reader)


def _watch(reader: int, stop: threading.Event) -> None:
    while number := os.read(reader, 1):
        if number[0] not in SIGNALS:
            continue
        if stop.is_set():
            os._exit(130)  # the last commit stands
        stop.set()


def _nothing(number: int, frame: object) -> None:
    """In place of the default, which would raise or kill."""
