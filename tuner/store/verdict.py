"""What was found out about the steps that a study needs, kept beside its run.

It lies in the folder `steps/` of the run's directory, which may hold no run yet, beside
the runs that it rests on.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.store import durable, place, sealed

FOLDER, NAME = "steps", "verdict.json"


def write(directory: Path, verdict: Mapping[str, Any]) -> None:
    """Writes the verdict durably, over an earlier one; its key `sha256` is ours."""
    with place.named(directory):
        durable.make_folders(directory, [FOLDER, f"{FOLDER}/tmp"])
        sealed.write(directory / FOLDER, NAME, verdict)


def remove(directory: Path) -> None:
    """Removes the verdict, durably; the runs that it rests on stay."""
    path = directory / FOLDER / NAME
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    durable.flush(directory / FOLDER)


def read(directory: Path) -> dict[str, Any] | None:
    """Returns the verdict, None if there is none; raises DamagedError if damaged."""
    if not (directory / FOLDER / NAME).exists():
        return None
    return sealed.read(directory / FOLDER, NAME, "the verdict on steps")
