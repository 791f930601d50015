"""A directory in which a run has been, but whose ledger or definition is gone.

Whoever took it for an empty one would begin a new run in it, and what no row of a new
ledger names is swept away.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tuner.store import database, definition, snapshots, tables
from tuner.store.durable import DamagedError

FOLDERS = (*map(tables.folder, tables.NAMES), snapshots.FOLDER)


def is_left(directory: Path) -> bool:
    """Whether there are parts or snapshots, of whoever."""
    return any(_kept(directory))


def check_ledger(directory: Path) -> None:
    """Raises DamagedError where only a run with a ledger leaves what there is.

    Args:
        directory: which has no ledger, or one without a table.
    """
    traces = [definition.NAME, *_kept(directory)]
    if any((directory / trace).exists() for trace in traces):
        path = directory / database.NAME
        damage = "holds no ledger" if path.exists() else "is missing"
        raise DamagedError(path, damage, "what the run's ledger says")


def check_definition(directory: Path) -> None:
    """Raises DamagedError where a run has recorded something, but has no definition."""
    if not (directory / definition.NAME).exists() and is_left(directory):
        path = directory / definition.NAME
        raise DamagedError(path, "is missing", "the study's definition")


def refuse_strangers(directory: Path, folders: Iterable[str]) -> None:
    """What is unnamed is swept away, so a run never begins among files of others.

    Nor among its own, where they are all that is left of it.

    Args:
        directory: which has no ledger.
        folders: in which a run keeps its files.
    """
    if (directory / definition.NAME).exists():
        check_ledger(directory)
    for folder in folders:
        for path in (directory / folder).glob("*"):
            raise FileExistsError(
                f"{path} was made by no run, and a run keeps its own files in "
                f"{directory / folder}: give the run a directory of its own"
            )


def _kept(directory: Path) -> Iterator[str]:
    """The paths of parts and snapshots."""
    for folder in FOLDERS:
        for path in (directory / folder).glob("*"):
            yield f"{folder}/{path.name}"
