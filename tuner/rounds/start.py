"""How a run begins or goes on: with whose code, under what, and where.

A run whose functions have changed is never continued in silence. Who starts it decides:
it begins anew and the old run is moved aside, a copy of it goes on with the new code,
or it goes on where it is and keeps a record of that.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner.lanes.fingerprints import STATE
from tuner.rounds import history
from tuner.rounds.definition import OtherStudyError, check_same, definition
from tuner.rounds.functions import CODE, Functions, functions_of
from tuner.rounds.preflight import Plan
from tuner.runs import Run
from tuner.store.copies import copy_run, move_aside
from tuner.store.definition import NAME
from tuner.store.reader import read_ledger


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """What to do where a study's code is not that of its run.

    Attributes:
        restart: begin anew, and move the run aside; also where it is another study's.
        fork: the directory of a copy, in which it goes on.
        accept_change: go on, and keep a record of it.
        lock: False where no other process writes the run, and locks cannot say so.
    """

    restart: bool = False
    fork: Path | None = None
    accept_change: bool = False
    lock: bool = True

    def __post_init__(self) -> None:
        ways = ("restart", "fork", "accept_change")
        chosen = [name for name in ways if getattr(self, name)]
        if len(chosen) > 1:
            raise ValueError(
                "at most one of restart, fork and accept_change must be given, but got "
                f"{' and '.join(chosen)}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """What a run begins with.

    Attributes:
        directory: where it runs.
        before: what that says, if there is a run already.
        said: the definition to write, but for its layouts.
        later: finds out what is to be added to it before anything is trained.
        notes: what whoever started it must know.
    """

    directory: Path
    before: Mapping[str, Any]
    said: Mapping[str, Any]
    notes: Sequence[str] = ()
    later: Callable[[], Mapping[str, Any]] | None = None


def settled(directory: Path, choice: Choice) -> tuple[Path, Choice]:
    """Where the run is, and what is left to do: a copy that is there is gone on with.

    Raises:
        FileNotFoundError: where there is no run to copy.
    """
    if choice.fork is None:
        return directory, choice
    if _has_run(choice.fork):
        return choice.fork, Choice()
    if not _has_run(directory):
        raise FileNotFoundError(
            f"fork= copies the run of a directory, but {directory} holds none: leave "
            "it out, or pass the directory of a run"
        )
    return directory, choice


def start(
    plan: Plan, directory: Path, before: Mapping[str, Any], choice: Choice
) -> Start:
    """Find out whether a directory's run is this study's, and act on what was chosen.

    Args:
        plan: of the study.
        directory: of the run.
        before: what it says; nothing where there is no run.
        choice: what to do where its code is another.

    Raises:
        OtherStudyError: where it is another's, or its code has changed, and nothing
            was chosen that would do.
        FileExistsError: where the copy would not be alone.
        LockedError: where another process writes what is to be moved or copied.
    """
    if not before:
        return _new(plan, directory)
    try:
        return _on(plan, directory, before, functions_of(plan), choice)
    except OtherStudyError as error:
        if not choice.restart:
            raise
        aside = move_aside(directory, locked=choice.lock)
        said = f"begins anew, since {error.reason}; the run so far is in {aside}"
        return dataclasses.replace(_new(plan, directory), notes=[said])


def _new(plan: Plan, directory: Path) -> Start:
    return Start(
        directory=directory,
        before={},
        said={**definition(plan.study, {}), "best_state": plan.best_state},
        later=lambda: {"functions": functions_of(plan).describe()},
    )


def _on(
    plan: Plan,
    directory: Path,
    before: Mapping[str, Any],
    functions: Functions,
    choice: Choice,
) -> Start:
    """What a run goes on with, here or in its copy."""
    said = {**definition(plan.study, before), "best_state": plan.best_state}
    check_same(before, said, directory)
    known, other = before.get("functions", {}), history.differences(before, said)
    if not any(row.step for row in read_ledger(directory).trials):
        known, other = {}, {}  # nothing was trained by what has changed
    changed = _changed(functions, known, other)
    if changed and not (choice.fork or choice.accept_change):
        raise OtherStudyError(*_refusal(directory, changed))
    if not (changed or choice.fork) and _is_over(before, said, directory):
        return Start(directory=directory, before=before, said=before)
    if STATE in changed:
        raise OtherStudyError(*_refusal_of_state(directory, changed))
    entries, notes = list(before.get(history.CHANGES, [])), []
    if other:
        entries.append(history.entry(history.ELSEWHERE, directory, differences=other))
        notes.append(_elsewhere(other))
    if choice.fork:
        more = {"functions": changed, "from": str(directory)}
        entries.append(history.entry(history.FORKED, directory, **more))
        notes.append(f"goes on in {choice.fork}, a copy of {directory}")
    elif changed:
        entries.append(history.entry(history.ACCEPTED, directory, functions=changed))
        notes.append(f"goes on with another {_listed(changed)}, which is on record")
    said["functions"] = _merged(functions, known, changed, other)
    said |= {history.CHANGES: entries} if entries else {}
    if choice.fork:
        copied = {**before, **said}
        copy_run(directory, choice.fork, copied, locked=choice.lock)
        directory, before = choice.fork, copied
    return Start(directory=directory, before=before, said=said, notes=notes)


def _has_run(directory: Path) -> bool:
    return (directory / NAME).exists()


def _changed(
    functions: Functions, known: Mapping[str, Any], other: Mapping[str, Any]
) -> list[str]:
    """The functions that are others; none can be told under other versions."""
    if not known or any(library in other for library in CODE):
        return []
    by_host = not {"numpy", "instruction set"} & set(other)  # sines differ in bits
    return functions.changed_since(known, values=by_host)


def _merged(
    functions: Functions,
    known: Mapping[str, Any],
    changed: Sequence[str],
    other: Mapping[str, Any],
) -> dict[str, Any]:
    """What is known of functions from now on, also in rounds that are not listed."""
    now = functions.describe()
    if any(library in other for library in CODE):
        return now
    kept = {name: of for name, of in known.items() if name not in changed}
    return {
        name: {**kept.get(name, {}), **now.get(name, {})} for name in {**kept, **now}
    }


def _is_over(
    before: Mapping[str, Any], said: Mapping[str, Any], directory: Path
) -> bool:
    """Whether nothing is left to be trained."""
    same = before["study"] == json.loads(json.dumps(said["study"]))
    return same and Run(directory).status == "complete"


def _refusal(directory: Path, changed: Sequence[str]) -> tuple[str, str]:
    """What to say where functions have changed, in full and in short."""
    names = [name for name in changed if name != STATE]
    have = "has" if len(names) == 1 else "have"
    reason = f"{_listed(names)} {have} changed"
    return (
        f"a run must be trained by the same code from its first step to its last, but "
        f"{reason} since {directory} was trained: undo that, or say how to go on, with "
        "--restart (restart=True) anew, while the run so far is moved aside, with "
        "--fork DIR (fork=DIR) in a copy of it, or with --accept-change "
        "(accept_change=True) here, which is kept on record",
        reason,
    )


def _refusal_of_state(directory: Path, changed: Sequence[str]) -> tuple[str, str]:
    """The same where no trial that has begun can go on."""
    names = _listed([name for name in changed if name != STATE])
    reason = f"{names} make states of another form"
    return (
        f"a trial must go on with a state like that which it has left, but {reason} "
        f"than those that {directory} keeps: begin anew, with --restart "
        "(restart=True), and the run so far is moved aside",
        reason,
    )


def _elsewhere(other: Mapping[str, Any]) -> str:
    """A note on another machine, or other versions."""
    pairs = [f"{name} {new} (was {old})" for name, (old, new) in other.items()]
    said = f"goes on under {', '.join(pairs)}: what it does from here on equals an "
    said += "uninterrupted run to rounding only"
    if any(library in other for library in CODE):
        said += "; whether its functions are the same cannot be told between versions"
    return said


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
