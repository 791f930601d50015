"""A disk on which, after a power cut, is what was flushed and nothing else for certain.

The bytes of a file are there once it was flushed itself, the names in a folder once
the folder was. What was made, moved or removed since may be there or not: a disk writes
in any order. A transaction of the ledger is SQLite's, and durable when it returns.
"""

import os
import random
import stat
from pathlib import Path

from tuner.store import database

Names = dict[str, int]  # in a folder: each name's inode


class Disk:
    """What is on the disk of a folder: all that lies there now, and what is flushed.

    Attributes:
        flushes: how many there were.
    """

    def __init__(self, root: Path) -> None:
        self._held: dict[int, int] = {}  # while a file is open its inode is no other's
        self._bytes: dict[int, bytes] = {}
        self._ledgers: dict[int, Names] = {}
        self._names: dict[int, Names] = {}
        self._path, self._root = root, self._hold(root)
        self.flushes = 0
        for path in (root, *root.rglob("*")):
            self.flush(path)

    def flush(self, path: Path) -> None:
        """The file's bytes, or the folder's names, are on the disk."""
        self.flushes += 1
        inode = self._hold(path)
        if path.is_dir():
            self._names[inode] = self._now(path)
        else:
            self._bytes[inode] = path.read_bytes()

    def flush_ledger(self, directory: Path) -> None:
        """A transaction of the ledger of a run has returned."""
        self.flushes += 1
        path, folder = directory / database.NAME, self._hold(directory)
        self._bytes[self._hold(path)] = path.read_bytes()
        self._ledgers.setdefault(folder, {})[path.name] = self._hold(path)

    def after_power_cut(self, place: Path, chance: random.Random | None = None) -> Path:
        """Lays out, at a place, what is found when there is power again.

        Args:
            place: a new folder.
            chance: decides what of the rest is there; nothing of it if None.
        """
        place.mkdir(parents=True)
        self._lay_out(self._root, self._path, place, chance)
        return place

    def close(self) -> None:
        """Lets go of all files."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def _lay_out(self, folder: int, path: Path | None, place: Path, chance) -> None:
        flushed = self._names.get(folder, {})
        now = flushed
        if chance is not None and path is not None:
            now = self._now(path)
        ledger = self._ledgers.get(folder, {})
        for name in sorted(flushed.keys() | now.keys() | ledger.keys()):
            which = flushed.get(name), now.get(name)
            inode = chance.choice(which) if chance else which[0]
            inode = ledger.get(name, inode)
            if inode is None:
                continue
            if stat.S_ISDIR(os.fstat(self._held[inode]).st_mode):
                (place / name).mkdir()
                inside = path / name if path and now.get(name) == inode else None
                self._lay_out(inode, inside, place / name, chance)
            else:
                is_ledger = inode in ledger.values()
                data = self._found(inode, None if is_ledger else chance)
                (place / name).write_bytes(data)

    def _found(self, inode: int, chance: random.Random | None) -> bytes:
        """The bytes flushed, or by chance those written since, or the first of them."""
        flushed = self._bytes.get(inode, b"")
        if chance is None:
            return flushed
        size = os.fstat(self._held[inode]).st_size
        now = os.pread(self._held[inode], size, 0)
        if now == flushed:
            return flushed
        return chance.choice([flushed, now, now[: size // 2]])

    def _now(self, folder: Path) -> Names:
        return {path.name: self._hold(path) for path in folder.iterdir()}

    def _hold(self, path: Path) -> int:
        inode = path.stat().st_ino
        if inode not in self._held:
            self._held[inode] = os.open(path, os.O_RDONLY)
        return inode
