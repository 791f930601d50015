"""Metric tables: columns fixed before the first row, rows in parts that never change.

Parts of one table that differ in a column or its type cannot be read together by any
tool, so the columns are written first, as an empty part, and every frame must fit them.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from tuner.store import durable
from tuner.store.ledger import FileRow

NAMES = ("train", "valid")

Columns = Mapping[str, Any]  # name -> Polars type; beartype fails on pl.Schema


def write_part(directory: Path, name: str, number: int, frame: pl.DataFrame) -> FileRow:
    """Writes a part; its rows belong to the table once the ledger names it."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    path = part_path(name, number)
    sha256 = durable.write_durably(directory, path, buffer.getvalue())
    return FileRow(path=path, rows=frame.height, sha256=sha256)


def read_parts(
    directory: Path, name: str, files: Mapping[str, FileRow]
) -> list[pl.DataFrame]:
    """Returns a table's parts; raises DamagedError where one is not as written."""
    inside = f"{folder(name)}/"
    return [
        _read_part(directory, name, file)
        for path, file in files.items()
        if path.startswith(inside)
    ]


def without(
    directory: Path, name: str, files: Mapping[str, FileRow], trials: Sequence[int]
) -> tuple[list[str], pl.DataFrame]:
    """Returns the parts that hold rows of some trials, and what else they hold."""
    paths, kept = [], []
    for path in sorted(files):
        if path.startswith(f"{folder(name)}/") and path != part_path(name, 0):
            part = _read_part(directory, name, files[path])
            theirs = part["trial"].is_in(list(trials))
            if theirs.any():
                paths.append(path)
                kept.append(part.filter(~theirs))
    return paths, pl.concat(kept) if kept else pl.DataFrame()


def rows_by_trial(directory: Path, file: FileRow) -> dict[int, int]:
    """Returns how many rows of each trial a part holds."""
    name = PurePosixPath(file.path).parent.name
    counted = _read_part(directory, name, file)["trial"].value_counts()
    return dict(counted.iter_rows())


def fixed_columns(directory: Path, files: Mapping[str, FileRow]) -> dict[str, Columns]:
    """Returns the columns of each table whose empty part is written."""
    return {
        name: _read_part(directory, name, files[part_path(name, 0)]).schema
        for name in NAMES
        if part_path(name, 0) in files
    }


def check_columns(name: str, columns: Columns, fixed: Columns) -> None:
    """Raises ValueError, with what differs, unless the columns are those fixed."""
    differences = [
        *(f"{column!r} is missing" for column in fixed if column not in columns),
        *(f"{column!r} is new" for column in columns if column not in fixed),
        *(
            f"{column!r} is {columns[column]} instead of {fixed[column]}"
            for column in fixed
            if column in columns and columns[column] != fixed[column]
        ),
    ]
    if differences:
        raise ValueError(
            f"the columns of table `{name}` must stay as they were fixed, but"
            f" {', '.join(differences)}; record other columns in a new run directory"
        )


def folder(name: str) -> str:
    """Where the parts of a table lie."""
    return f"metrics/{name}"


def part_path(name: str, number: int) -> str:
    """Where the part of commit `number` lies; part 0 is empty and fixes the columns."""
    return f"{folder(name)}/{number:06d}.parquet"


def _read_part(directory: Path, name: str, file: FileRow) -> pl.DataFrame:
    lost = f"{file.rows} rows of table `{name}`"
    data = durable.read_verified(directory, file.path, file.sha256, lost)
    return pl.read_parquet(io.BytesIO(data))
