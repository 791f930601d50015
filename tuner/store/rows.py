"""What the ledger's rows look like in SQLite, and the checksum that each ends in.

SQLite does not notice a flipped bit, knows no NaN, and makes 0.0 of -0.0.
"""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from tuner.store.ledger import FileRow, Place, TrialRow
from tuner.store.snapshots import Entry

_TRIAL = tuple(field.name for field in fields(TrialRow))
_REALS = ("best_objective", "final_objective", "diverged_learning_rate")
_TEXTS = ("hyperparams", "schedule")  # JSON
_TRUTHS = ("control",)


def checksum(values: Sequence[Any]) -> int:
    """What a row of these values ends in."""
    return zlib.crc32(repr(tuple(values)).encode())


def as_json(value: Mapping[str, Any]) -> str:
    """A dictionary as it is kept."""
    return json.dumps(dict(value), allow_nan=False)


def trial_values(trial: TrialRow) -> tuple:
    """A row of `trials`."""
    values = {name: getattr(trial, name) for name in _TRIAL}
    values |= {name: _real(values[name]) for name in _REALS}
    values |= {name: as_json(values[name]) for name in _TEXTS}
    values |= {name: int(values[name]) for name in _TRUTHS}
    return tuple(values.values())


def file_values(file: FileRow) -> tuple:
    """A row of `files`."""
    return file.path, file.rows, file.sha256


def place_values(place: Place) -> tuple:
    """A row of `entries`."""
    entry = place.entry
    return entry.trial, entry.what, entry.step, place.path, place.row


def trial(row: tuple) -> TrialRow:
    """From a row of `trials`."""
    values = dict(zip(_TRIAL, row, strict=True))
    values |= {name: json.loads(values[name]) for name in _TEXTS}
    values |= {name: bool(values[name]) for name in _TRUTHS}
    return TrialRow(**values)


def file(row: tuple) -> FileRow:
    """From a row of `files`."""
    path, rows, sha256 = row
    return FileRow(path=path, rows=rows, sha256=sha256)


def place(row: tuple) -> Place:
    """From a row of `entries`."""
    trial, what, step, path, index = row
    return Place(Entry(trial=trial, what=what, step=step), path, index)


def _real(value: float | None) -> float | None:
    """The number as SQLite gives it back."""
    return None if value is None or math.isnan(value) else float(value) + 0.0
