"""One writer a run: an `flock` held for as long as the run is written.

The kernel releases it when the process ends, however it ends. What the file holds
(host, process, start) is for the message alone: a process number means nothing on
another host or in another container.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 1.0  # a reader that asks `is_held` has the lock for a moment

_NAME = "lock"
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOLCK)


class LockedError(RuntimeError):
    """Another process writes this run; `holder` has its host, pid and start."""

    def __init__(self, directory: Path, holder: Mapping[str, Any]) -> None:
        who = "process {pid} on {host} since {start}".format_map(holder)
        super().__init__(
            f"a run must have one writer, but `{directory}` is being written by {who};"
            " wait until it ends, or stop it"
        )
        self.directory = directory
        self.holder = holder


@contextmanager
def hold(directory: Path, *, locked: bool = True) -> Iterator[Callable[[], bool]]:
    """Holds the lock of a run's directory; raises LockedError if another has it.

    Args:
        directory: of the run.
        locked: if False it is only signed, where the caller knows of no other writer.

    Yields:
        What says whether that directory still lies there, and no other in its place.
    """
    try:
        descriptor = os.open(directory / _NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except IsADirectoryError as error:
        why = f"`{directory / _NAME}` must be a file, but is a folder; remove it"
        raise IsADirectoryError(error.errno, why) from error
    _held.add(descriptor)
    try:
        if locked:
            _acquire(descriptor, directory)
        _sign(descriptor, locked)
        yield lambda: _is_at(directory / _NAME, descriptor)
    finally:
        if descriptor in _held:
            _held.remove(descriptor)
            os.close(descriptor)


def is_held(directory: Path) -> bool:
    """Whether a writer holds the lock; asks by a shared lock of its own."""
    try:
        descriptor = os.open(directory / _NAME, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False  # no writer was let in either
        raise
    finally:
        os.close(descriptor)
    return False


def is_locked(directory: Path) -> bool:
    """Whether the last writer of a run took locks; if not, readers can rely on none."""
    try:
        holder = json.loads((directory / _NAME).read_bytes())
    except (OSError, ValueError):
        return True
    return not (isinstance(holder, dict) and holder.get("locked") is False)


def _acquire(descriptor: int, directory: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockedError(directory, _holder(descriptor)) from None
            time.sleep(0.02)
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                raise OSError(
                    f"`{directory}` must be on a file system with locks, but this one"
                    " has none; put the run on a local disk, or make sure yourself that"
                    " nobody else writes it, with lock=False, or --no-lock",
                ) from error
            raise
        else:
            return


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file still has its name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _sign(descriptor: int, locked: bool) -> None:
    start = datetime.now().astimezone().isoformat(timespec="seconds")
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "start": start}
    holder |= {} if locked else {"locked": False}
    with contextlib.suppress(OSError):  # a full disk; nothing depends on it
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _holder(descriptor: int) -> dict[str, Any]:
    unknown = {"host": "an unknown host", "pid": "(unknown)", "start": "just now"}
    try:
        signed = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:  # it has the lock, but has not signed yet
        return unknown
    return unknown | signed if isinstance(signed, dict) else unknown


_held: set[int] = set()


def _close_in_child() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


# A forked child shares its parent's lock, and would keep it when the parent is killed.
os.register_at_fork(after_in_child=_close_in_child)
