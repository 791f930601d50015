"""Room on a disk: whether there is enough for a commit, and whether a failure had it.

Polars and SQLite each say in their own way that a disk is full, and may say it like
anything else that fails. So when a commit has failed, as many bytes as it needs are
written as a probe: that fails on a full disk, and where a quota is used up.
"""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import polars as pl

from tuner.store.ledger import TrialRow
from tuner.store.snapshots import Stack

FULL = (errno.ENOSPC, errno.EDQUOT)
FILES = 128  # more than a commit makes; a file system can run out of them too
CHUNK = 2**20  # bytes of a probe written at once

# Beside what they hold: an array's names and headers, a row's pages and journal.
ARRAY_BYTES, TRIAL_BYTES = 2**11, 2**13
SMALL = 2**20  # bytes, enough for a definition, empty parts and what belongs to no row

_PROBE = "probe"  # in tmp/, swept away like all that no ledger names


class FullDiskError(OSError):
    """A disk has no room for what is to be written.

    Attributes:
        directory: of the run.
        needed: bytes, about.
    """

    def __init__(self, directory: Path, needed: int) -> None:
        free, _ = _left(directory)
        has = f"has {_size(free)}" if free < needed else "gives no more, as by a quota"
        super().__init__(
            f"the disk of `{directory}` must have {_size(needed)} free for what is to "
            f"be written next, but {has}; make room there"
        )
        self.errno = errno.ENOSPC
        self.directory, self.needed = directory, needed


def needed(
    stacks: Sequence[Stack],
    frames: Mapping[str, pl.DataFrame],
    trials: Sequence[TrialRow],
) -> int:
    """The bytes that a commit takes, rather too many than too few."""
    arrays = [array for stack in stacks for array in stack.arrays.values()]
    return (
        sum(array.nbytes for array in arrays)
        + sum(int(frame.estimated_size()) for frame in frames.values())
        + ARRAY_BYTES * len(arrays)
        + TRIAL_BYTES * len(trials)
        + SMALL
    )


def check(directory: Path, needed: int) -> None:
    """Raises FullDiskError where the disk says that it has less than `needed` bytes."""
    free, files = _left(directory)
    if free < needed or files < FILES:
        raise FullDiskError(directory, needed)


def has_room(directory: Path, needed: int) -> bool:
    """Whether so many bytes can be written, by the disk's word and by a probe."""
    free, files = _left(directory)
    return free >= needed and files >= FILES and not _probe_fails(directory, needed)


def is_full(directory: Path, needed: int, error: BaseException) -> bool:
    """Whether something failed because the disk was full.

    Args:
        directory: of the run.
        needed: bytes that were to be written.
        error: that it failed with.
    """
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return True
    return _probe_fails(directory, needed)


OnFull = Callable[[FullDiskError], None]  # returns when there may be room, or raises


def give_up(full: FullDiskError) -> None:
    """Waits for nothing."""
    raise full


def _left(directory: Path) -> tuple[int | float, int | float]:
    """Bytes and files that a user may still write; infinite where nobody knows."""
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize if disk.f_blocks else float("inf")
    return free, disk.f_favail if disk.f_files else float("inf")


def _probe_fails(directory: Path, needed: int) -> bool:
    path, noise = directory / "tmp" / _PROBE, os.urandom(CHUNK)
    try:
        with path.open("wb") as stream:
            for start in range(0, needed, CHUNK):
                stream.write(noise[: needed - start])
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return error.errno in FULL
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
    return False


def _size(num_bytes: int | float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if num_bytes >= size:
            return f"{num_bytes / size:.3g} {unit}"
    return f"{num_bytes / 1e3:.3g} kB"
