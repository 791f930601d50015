"""The study's definition as a JSON file, which ends in a checksum of the rest."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.store import durable

NAME = "study.json"


def write(directory: Path, definition: Mapping[str, Any]) -> None:
    """Writes the definition durably; its key `sha256` is ours."""
    sealed = {**definition, "sha256": _sha256(definition)}
    durable.write_durably(directory, NAME, (_text(sealed) + "\n").encode())


def read(directory: Path) -> dict[str, Any]:
    """Returns the definition; raises DamagedError if it is not the one written."""
    path = directory / NAME
    lost = "the study's definition"
    try:
        definition = json.loads(path.read_bytes())
    except ValueError as error:
        raise durable.DamagedError(path, f"is no sound JSON ({error})", lost) from error
    if definition.pop("sha256", None) != _sha256(definition):
        raise durable.DamagedError(path, "does not match its sha256", lost)
    return definition


def _sha256(definition: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(definition).encode()).hexdigest()


def _text(definition: Mapping[str, Any]) -> str:
    return json.dumps(dict(definition), indent=2, allow_nan=False)
