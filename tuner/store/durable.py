"""Files that survive a power cut, and that do not lie when a bit has flipped.

Everything but the ledger is prepared under `tmp/`, hashed, flushed to disk, and renamed
to its place in one step, so that a file is there as a whole or not at all. No format of
ours notices a flipped bit by itself: the sha256 is checked before anything is parsed.

Paths are those the ledger holds: relative to the run's directory, with `/` between.
"""

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path


class DamagedError(RuntimeError):
    """The file `path` is missing or not as it was written, so `lost` cannot be read."""

    def __init__(self, path: Path, damage: str, lost: str) -> None:
        super().__init__(
            f"`{path}` {damage}, so {lost} cannot be read;"
            " put the file back from a copy of the run; `tuner check-files` says what"
            " else is damaged, and `tuner repair` trains again what can be"
        )
        self.path = path
        self.damage = damage
        self.lost = lost


def write_durably(directory: Path, path: str, data: bytes) -> str:
    """Writes a file and returns its sha256, once all of it is on disk."""
    draft(directory, path).write_bytes(data)
    publish(directory, path)
    return hashlib.sha256(data).hexdigest()


def publish(directory: Path, path: str) -> None:
    """Moves the draft of the file `path` to its place, once all of it is on disk."""
    work, final = draft(directory, path), directory / path
    flush(work)
    work.replace(final)
    flush(final.parent)


def draft(directory: Path, path: str) -> Path:
    """Where the file `path` is prepared."""
    return directory / "tmp" / path.replace("/", "-")


def make_folders(directory: Path, folders: Iterable[str]) -> None:
    """Makes the run's directory and the folders in it, durably."""
    _make_folder(directory)
    for folder in folders:
        _make_folder(directory / folder)
        flush((directory / folder).parent)
    flush(directory)
    flush(directory.parent)


def _make_folder(folder: Path) -> None:
    """Makes a folder and those above it, none of which a power cut takes back."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush(folder.parent)


def flush(path: Path) -> None:
    """Returns when the file, or the list of names in the folder, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if sys.platform == "darwin":  # fsync stops at the cache of the drive there
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_verified(directory: Path, path: str, sha256: str, lost: str) -> bytes:
    """Returns the file's bytes; raises DamagedError if they are not those written.

    Args:
        directory: the run's directory.
        path: the file.
        sha256: what the ledger holds for it.
        lost: what cannot be read without it, for the message.
    """
    data = read_bytes(directory, path, lost)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedError(directory / path, "does not match its sha256", lost)
    return data


def read_bytes(directory: Path, path: str, lost: str) -> bytes:
    """Returns the bytes of a file that must be there, in the run's own directory.

    Raises:
        DamagedError: it is not.
        OSError: it cannot be read now.
    """
    file = directory / path
    try:
        check_inside(directory, path, lost)
        return file.read_bytes()
    except FileNotFoundError as error:
        raise DamagedError(file, "is missing", lost) from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise DamagedError(file, "is no file", lost) from error
    except OSError as error:
        why = f"`{file}` cannot be read now ({error.strerror})"
        raise OSError(error.errno, why) from error


def check_inside(directory: Path, path: str, lost: str) -> None:
    """Raises DamagedError where a path leads out of the directory, as by a link."""
    if not _may_lead_out(directory, path):
        return
    real = os.path.realpath(directory / path)
    if not Path(real).is_relative_to(os.path.realpath(directory)):
        damage = f"leads out of the run's directory, to `{real}`"
        raise DamagedError(directory / path, damage, lost)


def check_all_inside(directory: Path, folders: Iterable[str]) -> None:
    """Raises DamagedError where one leads elsewhere: only a run's own is swept away."""
    for folder in folders:
        check_inside(directory, folder, "what the run keeps there")


def _may_lead_out(directory: Path, path: str) -> bool:
    """Whether there is a link or a `..` below the directory: rare, and quick to see."""
    at, parts = os.fspath(directory), path.split("/")
    return ".." in parts or any(
        os.path.islink(at := os.path.join(at, part)) for part in parts
    )
