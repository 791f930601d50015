"""Reads a run: any number of readers at any time, also of a copy or a read-only place.

A reader takes no lock, writes and deletes nothing, and verifies all it reads: a file
that is not as the ledger knows it is a DamagedError, never a wrong number. A commit can
remove a snapshot under a reader, and a part where trials begin anew; then they are
looked up in the ledger of that commit.
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import polars as pl

from tuner.store import database, definition, durable, lock, lost, snapshots, tables
from tuner.store.ledger import Ledger, Place
from tuner.store.names import check_known
from tuner.store.snapshots import Stack

# A reader that loses this many races in a row is slower than a run commits.
COMMITS_OUTRUN = 8


class MissingStateError(LookupError):
    """A trial keeps no such state."""


def read_definition(directory: Path) -> dict[str, Any]:
    """Returns the study's definition, as it was written."""
    if not (directory / definition.NAME).exists():
        lost.check_definition(directory)
        raise _no_run(directory, definition.NAME)
    return definition.read(directory)


def read_ledger(directory: Path) -> Ledger:
    """Returns all that was acknowledged up to the last commit."""
    ledger = database.read(directory)
    if ledger is None:
        lost.check_ledger(directory)
        raise _no_run(directory, database.NAME)
    return ledger


def read_table(
    directory: Path, name: str, ledger: Ledger | None = None
) -> pl.DataFrame:
    """Returns the table `train` or `valid`, sorted by trial and step."""
    check_known("name", name, tables.NAMES)
    ledger = ledger or read_ledger(directory)
    try:
        parts = tables.read_parts(directory, name, ledger.files)
    except durable.DamagedError:  # a part was replaced, since trials of it began anew
        newer = read_ledger(directory)
        if newer.number == ledger.number:
            raise
        parts = tables.read_parts(directory, name, newer.files)
    if not parts:
        raise FileNotFoundError(
            f"`{directory}` must have the columns of table `{name}` fixed, but they are"
            " not yet; read it again when training has begun"
        )
    return pl.concat(parts).sort("trial", "step")


def read_state(
    directory: Path, trial: int, *whats: str
) -> tuple[int, dict[str, np.ndarray]]:
    """Returns the step of a trial's state and its arrays, by path of the leaf.

    Args:
        directory: of the run.
        trial: its number.
        *whats: kinds of state; the first of them that the trial keeps is read.

    Raises:
        MissingStateError: the trial keeps no such state.
        DamagedError: the snapshot is not as it was written.
    """
    for what in whats:
        check_known("what", what, snapshots.WHATS)
    ledger = read_ledger(directory)
    for _ in range(COMMITS_OUTRUN):
        try:
            return _read_state(directory, trial, whats, ledger)
        except durable.DamagedError:  # a commit may have removed it meanwhile
            newer = read_ledger(directory)
            if newer.number == ledger.number:
                raise
            ledger = newer
    return _read_state(directory, trial, whats, ledger)


def read_states(
    directory: Path,
    what: str,
    ledger: Ledger | None = None,
    wanted: Container[tuple[int, int]] | None = None,
) -> Iterator[Stack]:
    """Yields all states of a kind, such as `running`, one snapshot after another.

    Args:
        directory: of the run.
        what: the kind.
        ledger: read before; now if None.
        wanted: only those of a trial after a step; all if None.
    """
    check_known("what", what, snapshots.WHATS)
    ledger = ledger or read_ledger(directory)
    lying = defaultdict(list)
    for place in ledger.entries:
        entry = place.entry
        if entry.what != what:
            continue
        if wanted is None or (entry.trial, entry.step) in wanted:
            lying[place.path].append(place)
    for path, places in lying.items():
        rows = [place.row for place in places]
        arrays = read_snapshot(directory, path, ledger)
        yield Stack(
            entries=tuple(place.entry for place in places),
            arrays={leaf: array[rows] for leaf, array in arrays.items()},
        )


def read_snapshot(directory: Path, path: str, ledger: Ledger) -> dict[str, np.ndarray]:
    """Returns the arrays of a snapshot, verified: path of the leaf -> [rows, ...]."""
    file = ledger.files[path]
    trials = {place.entry.trial for place in ledger.entries if place.path == path}
    numbers = ", ".join(map(str, sorted(trials)))
    whose = shorten(f"a state of trial {numbers}", 80, placeholder=" ...")
    data = durable.read_verified(directory, path, file.sha256, whose)
    return snapshots.load(data)


def is_running(directory: Path) -> bool:
    """Whether a process writes this run now."""
    return lock.is_held(directory)


def _no_run(directory: Path, missing: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"`{directory}` must hold a run, but has no {missing};"
        f" make one: tuner run STUDY.py --dir {directory}"
    )


def _read_state(
    directory: Path, trial: int, whats: Sequence[str], ledger: Ledger
) -> tuple[int, dict[str, np.ndarray]]:
    kept = {
        place.entry.what: place
        for place in ledger.entries
        if place.entry.trial == trial
    }
    what = next((what for what in whats if what in kept), whats[-1])
    if what not in kept:
        raise MissingStateError(_missing(trial, what, list(kept.values())))
    entry, path, row = kept[what]
    arrays = read_snapshot(directory, path, ledger)
    return entry.step, {leaf: array[row, ...].copy() for leaf, array in arrays.items()}


def _missing(trial: int, what: str, kept: Sequence[Place]) -> str:
    states = ", ".join(f"{entry.what!r} (step {entry.step})" for entry, _, _ in kept)
    return f"trial {trial} keeps no state {what!r}; it keeps {states or 'none'}"
