"""The study's definition as a JSON file, which ends in a checksum of the rest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.store import sealed
from tuner.store.format import FORMAT, check_format

NAME = "study.json"


def write(directory: Path, definition: Mapping[str, Any]) -> None:
    """Writes the definition durably; its keys `format` and `sha256` are ours."""
    sealed.write(directory, NAME, {"format": FORMAT, **definition})


def read(directory: Path) -> dict[str, Any]:
    """Returns the definition.

    Raises:
        DamagedError: it is not the one written.
        FormatError: it is of another format.
    """
    definition = sealed.read(directory, NAME, "the study's definition")
    check_format(directory / NAME, definition.pop("format", None))
    return definition
