"""JSON files that end in a checksum of the rest, written durably."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.store import durable


def write(directory: Path, name: str, data: Mapping[str, Any]) -> None:
    """Writes a file over an earlier one; its keys `file` and `sha256` are ours.

    Args:
        directory: which has a folder `tmp`.
        name: of the file.
        data: what `json` can write.
    """
    named = {"file": name, **data}
    sealed = {**named, "sha256": _sha256(named)}
    durable.write_durably(directory, name, (_text(sealed) + "\n").encode())


def read(directory: Path, name: str, lost: str) -> dict[str, Any]:
    """Returns the data; raises DamagedError if they are not those written.

    Args:
        directory: where the file lies.
        name: of the file.
        lost: what cannot be read without it, for the message.
    """
    path = directory / name
    data = durable.read_bytes(directory, name, lost)
    try:
        sealed = json.loads(data)
    except ValueError as error:
        raise durable.DamagedError(path, f"is no sound JSON ({error})", lost) from error
    if not _is_sound(sealed):
        raise durable.DamagedError(path, "does not match its sha256", lost)
    del sealed["sha256"]
    if (file := sealed.pop("file", name)) != name:  # the first formats do not say it
        raise durable.DamagedError(path, f"is what was once `{file}`", lost)
    return sealed


def _is_sound(sealed: Any) -> bool:
    if not isinstance(sealed, dict):
        return False
    rest = {name: value for name, value in sealed.items() if name != "sha256"}
    try:
        return sealed.get("sha256") == _sha256(rest)
    except ValueError:  # numbers that JSON lacks, and Python reads
        return False


def _sha256(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(data).encode()).hexdigest()


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(dict(data), indent=2, allow_nan=False)
