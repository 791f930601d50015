"""Reading a ledger where files have no locks, whoever writes it meanwhile.

SQLite would wait for locks that it cannot have. But the database with its journal is at
any moment what a crash at that moment would leave, and SQLite recovers the last commit
from it. So both are copied, until neither has changed meanwhile, and the copy is read.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TRIES, PAUSE_SECONDS = 200, 0.02

JOURNAL = "-journal"  # what SQLite adds to a database's name


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """A copy of a database and its journal as they were at one moment.

    Raises:
        OSError: where they never stay as they are for as long as copying takes.
    """
    with tempfile.TemporaryDirectory(prefix="tuner-") as folder:
        for _ in range(TRIES):
            before = _marks(path)
            copy = Path(tempfile.mkdtemp(dir=folder), path.name)
            for suffix in ("", JOURNAL):
                with suppress(FileNotFoundError):
                    shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
            if _marks(path) == before:
                break
            time.sleep(PAUSE_SECONDS)
        else:
            raise OSError(
                f"`{path}` must stay as it is while it is copied, but is written too "
                "often; read it again"
            )
        yield copy


def _marks(path: Path) -> list[tuple[int, int, int] | None]:
    """What changes when the database or its journal does."""
    marks = []
    for suffix in ("", JOURNAL):
        try:
            stat = Path(f"{path}{suffix}").stat()
        except FileNotFoundError:
            marks.append(None)
        else:
            marks.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return marks
