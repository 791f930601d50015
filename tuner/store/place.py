"""Where a run lies, when it can no longer be written: errors that say why, and name it.

What fails is often a library, or SQLite, and what they say names no directory.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tuner.store import database, space


class UnwritableError(OSError):
    """A run's directory cannot be written; what was committed is as it was."""

    def __init__(self, directory: Path, why: str, remedy: str) -> None:
        super().__init__(
            f"`{directory}` must stay in its place and be writable while its run goes "
            f"on, but {why}; {remedy} and type the same command: it goes on from the "
            "last commit"
        )
        self.directory = directory


@contextmanager
def named(
    directory: Path, is_ours: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """What fails in here because of the directory is an UnwritableError.

    Args:
        directory: of the run.
        is_ours: whether what lies there is still what this process writes.
    """
    try:
        yield
    except Exception as error:
        if trouble := _trouble(directory, error, is_ours):
            raise UnwritableError(directory, *trouble) from error
        raise


def check_ours(directory: Path, is_ours: Callable[[], bool]) -> None:
    """Raises UnwritableError if the directory is gone, or another is in its place."""
    if not is_ours():
        raise UnwritableError(directory, *_gone(directory))


def _trouble(
    directory: Path, error: Exception, is_ours: Callable[[], bool]
) -> tuple[str, str] | None:
    """What is wrong with the directory and what helps; None if nothing is."""
    if isinstance(error, UnwritableError | space.FullDiskError):
        return None
    if not is_ours():
        return _gone(directory)
    code = error.errno if isinstance(error, OSError) else None
    sqlite = getattr(error, "sqlite_errorcode", 0) & 0xFF
    at = directory if directory.exists() else directory.parent
    is_readonly = at.exists() and os.statvfs(at).f_flag & os.ST_RDONLY
    if code in space.FULL or sqlite == sqlite3.SQLITE_FULL:
        return "its disk is full", "make room"
    if code == errno.EROFS or is_readonly:
        return "its file system is read-only", "mount it for writing"
    if code in (errno.EACCES, errno.EPERM) or sqlite in _FORBIDDEN:
        what = getattr(error, "filename", None) or directory
        return f"this user may not write `{what}`", "give permission"
    if code in _BROKEN or sqlite == sqlite3.SQLITE_IOERR:
        return f"its disk or network drive fails ({error})", "see that it works"
    return None


def _gone(directory: Path) -> tuple[str, str]:
    if (directory / database.NAME).exists():
        return "another run was put in its place", "put its own back"
    return "it is gone", "put it back"  # a save under way may have made a new folder


_FORBIDDEN = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN)
_BROKEN = (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO)
