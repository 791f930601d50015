"""The study's definition as a JSON file, which ends in a checksum of the rest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.store import sealed

NAME = "study.json"


def write(directory: Path, definition: Mapping[str, Any]) -> None:
    """Writes the definition durably; its key `sha256` is ours."""
    sealed.write(directory, NAME, definition)


def read(directory: Path) -> dict[str, Any]:
    """Returns the definition; raises DamagedError if it is not the one written."""
    return sealed.read(directory, NAME, "the study's definition")
