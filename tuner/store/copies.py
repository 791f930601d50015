"""A run's directory as a whole: moved aside, or copied. Nothing is ever deleted."""

import itertools
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tuner.store import database, definition, durable, lock, snapshots

RECORDS = (
    definition.NAME,
    database.NAME,
    f"{database.NAME}-journal",  # of a transaction that was cut off, undone by it
    "metrics",
    snapshots.FOLDER,
)


def move_aside(directory: Path, *, locked: bool = True) -> Path:
    """Gives a run's directory another name, which is free, and returns it.

    Args:
        directory: of the run.
        locked: False where the caller knows that nobody writes it.

    Raises:
        LockedError: another process writes this run.
    """
    directory = directory.absolute()
    with lock.hold(directory, locked=locked):
        aside = _free(f"{directory}-until-{datetime.now():%Y-%m-%d-%H%M%S}")
        directory.rename(aside)
        durable.flush(aside.parent)
    return aside


def copy_run(
    source: Path, target: Path, said: Mapping[str, Any], *, locked: bool = True
) -> None:
    """Copies the records of a run, with another definition; the target is new.

    Either all of the copy is there, on disk, or nothing of it.

    Args:
        source: the run's directory, which stays as it is.
        target: of the copy, below no run.
        said: the copy's definition.
        locked: False where the caller knows that nobody writes the run.

    Raises:
        FileExistsError: where there is something already.
        LockedError: another process writes the run.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(
            f"a copy of a run needs a new directory, but {target} holds something "
            "else: give it another name"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}-in-the-making")
    if draft.exists():
        shutil.rmtree(draft)  # of a copy that was cut off
    with lock.hold(source, locked=locked):
        durable.make_folders(draft, ["tmp"])
        for name in RECORDS:
            if (source / name).is_dir():
                shutil.copytree(source / name, draft / name)
            elif (source / name).exists():
                shutil.copyfile(source / name, draft / name)
        definition.write(draft, said)
        for each in (draft, *draft.rglob("*")):
            durable.flush(each)
        draft.replace(target)
        durable.flush(target.parent)


def _free(name: str) -> Path:
    """A path of that name, or with a number behind it."""
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    paths = map(Path, itertools.chain([name], numbered))
    return next(path for path in paths if not path.exists())
