"""What a run directory holds, as plain values."""

import dataclasses
from pathlib import Path
from typing import Any

from tuner.store import reader
from tuner.store.writer import Commit, Writer


def bring(writer: Writer, commit: Commit) -> None:
    """Let a commit happen, its states to keep but the newest saved ahead of it."""
    *ahead, last = commit.kept or [None]
    saved = writer.save(ahead) if ahead else ()
    kept = [last] if last else []
    writer.commit(dataclasses.replace(commit, kept=kept), saved)


def contents(directory: Path) -> dict[str, Any]:
    """All that a reader finds, as plain values."""
    try:
        ledger = reader.read_ledger(directory)
    except FileNotFoundError:
        return {"number": 0}
    if ledger.number == 0:
        return {"number": 0}
    return {
        "number": ledger.number,
        "trials": ledger.trials,
        "figures": ledger.figures,
        "definition": reader.read_definition(directory),
        "train": reader.read_table(directory, "train").rows(),
        "valid": reader.read_table(directory, "valid").rows(),
        "states": {
            (entry.trial, entry.what): _state(directory, entry.trial, entry.what)
            for entry, _, _ in ledger.entries
        },
    }


def _state(directory: Path, trial: int, what: str) -> tuple[int, dict[str, list]]:
    step, arrays = reader.read_state(directory, trial, what)
    return step, {leaf: array.tolist() for leaf, array in arrays.items()}


def strangers(directory: Path) -> set[str]:
    """Files that a sound run would not have."""
    known = {"lock", "trials.sqlite", "study.json"}
    known |= reader.read_ledger(directory).files.keys()
    found = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix() for path in found} - known
