"""`run`: a study and a directory in, a run out."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tuner.lanes import feed
from tuner.lanes.compile_cache import programs_kept
from tuner.lanes.layout import idle_cores
from tuner.lanes.trial import check_parts
from tuner.rounds import rules
from tuner.rounds.accounts import Accounts
from tuner.rounds.bests import chosen
from tuner.rounds.budget import Budget
from tuner.rounds.declaration import OUT_OF_MEMORY, Declaration
from tuner.rounds.display import Display
from tuner.rounds.layouts import LayoutLike, Layouts
from tuner.rounds.patience import pausing
from tuner.rounds.preflight import Plan, preflight
from tuner.rounds.profile import Profile
from tuner.rounds.progress import make_display
from tuner.rounds.recovery import run_to_the_end
from tuner.rounds.room import Room
from tuner.rounds.session import Session
from tuner.rounds.start import Choice, Start, settled, start
from tuner.rounds.stopping import stop_before_the_start, stop_on_signals
from tuner.rounds.subject import longer_is_in_vain
from tuner.runs import Run
from tuner.store.definition import NAME
from tuner.store.lost import check_definition
from tuner.store.reader import read_definition, read_ledger
from tuner.store.writer import Writer
from tuner.study.study import Study


@stop_before_the_start()
def run(
    study: Study,
    directory: str | Path,
    *,
    layout: LayoutLike | None = None,
    memory: str | int | None = None,
    budget: Budget | None = None,
    display: Display | None = None,
    profile: bool | str | Path = False,
    best_state: str | None = None,
    lock: bool = True,
    restart: bool = False,
    fork: str | Path | None = None,
    accept_change: bool = False,
) -> Run:
    """Run a study, or go on with it; a complete one is left as it is.

    Interrupted by SIGINT or SIGTERM it commits and returns the run as it stands; the
    same call goes on from there. So it does when its budget is used up, and then goes
    on with a larger one.

    Args:
        study: what to run.
        directory: where its records are, made if need be.
        layout: of every program, or of each by its name; chosen if None. A directory
            that has layouts keeps them.
        memory: what each device may be made to hold, "4GB"; what it has if None. A
            layout that was not asked for gets fewer lanes where it would need more.
        budget: what all calls for this directory may use together; no end if None.
        display: what shows the progress; a terminal's or a notebook's if None.
        profile: where to write a trace of JAX's profiler, of a few calls after the
            first ones; into `profile/` of the directory if True.
        best_state: "lane": every lane carries its trial's best state. "snapshot": it is
            copied out and saved when a trial improves, which takes less memory. If None
            what the directory has, else "lane".
        lock: False for a file system without locks: you make sure that no other process
            writes this run.
        restart: where the directory is another study's, or a function has changed
            since: begin anew, and move the run so far aside. Without such a change
            the run goes on.
        fork: go on in this directory, which becomes a copy of the run; where it is one
            already, the call goes on with that.
        accept_change: where a function has changed: go on, and keep a record of it.

    Raises:
        ValueError, TypeError: before anything compiles, for what can never run.
        OtherStudyError: where the directory belongs to another study, or a function
            has changed since.
        LockedError: where another process writes it.
        UnwritableError: where the directory is gone, or cannot be written.
    """
    copy = None if fork is None else Path(fork)
    choice = Choice(restart=restart, fork=copy, accept_change=accept_change, lock=lock)
    plan, begun = _start(study, Path(directory), choice, best_state)
    directory, before = begun.directory, begun.before
    room = Room(plan, memory)
    layouts = Layouts(plan.groups, before.get("layouts", {}), layout, room)
    _check_layouts(plan, layouts)
    events = list(before.get(OUT_OF_MEMORY, []))
    with (
        Writer(directory, locked=lock) as writer,
        stop_on_signals() as stop,
        programs_kept(),
        closing(display or make_display(study, stop)) as display,
        pausing(writer, display, stop),
        closing(Profile(_profile_folder(directory, profile), display.note)) as tracing,
    ):
        _check_unchanged(directory, before)
        declaration = Declaration(
            writer, begun.said, layouts.known, events, begun.later
        )
        layouts.decided = declaration.write
        _begin(writer, plan, declaration, is_new=not before)
        for hint in (*begun.notes, *_hints(plan, directory, is_new=not before)):
            display.note(hint)
        session = Session(
            plan=plan,
            directory=directory,
            writer=writer,
            declaration=declaration,
            layouts=layouts,
            room=room,
            accounts=Accounts(read_ledger(directory).figures),
            display=display,
            stop=stop,
            budget=budget,
            profile=tracing,
        )
        run_to_the_end(session, events)
    return Run(directory, study=study)


def _start(
    study: Study, directory: Path, choice: Choice, best_state: str | None
) -> tuple[Plan, Start]:
    """Plan the study, and find out where it runs and what is there already."""
    directory, choice = settled(directory, choice)
    check_definition(directory)
    known = _defined(directory)
    plan = preflight(study, chosen(best_state, known, directory))
    return plan, start(plan, directory, known, choice)


def _defined(directory: Path) -> Mapping[str, Any]:
    """What the directory says of the study, if anything."""
    return read_definition(directory) if (directory / NAME).exists() else {}


def _check_unchanged(directory: Path, before: Mapping[str, Any]) -> None:
    """Refuse to go on from what was read before this process had the lock."""
    if _defined(directory) != json.loads(json.dumps(before)):
        raise OSError(
            f"a run must be as it was when this process began, but for `{directory}` "
            "another process has begun or run it meanwhile; type the same command again"
        )


def _begin(
    writer: Writer, plan: Plan, declaration: Declaration, *, is_new: bool
) -> None:
    """Write the definition, and the columns that the tables have from now on.

    A new run has its definition first; one that goes on, only once its columns are
    known to be the same.
    """
    if not is_new:
        writer.fix_schemas(*plan.schemas)
    declaration.write()
    writer.fix_schemas(*plan.schemas)


def _profile_folder(directory: Path, profile: bool | str | Path) -> Path | None:
    if isinstance(profile, bool):
        return directory / "profile" if profile else None
    return Path(profile)


def _hints(plan: Plan, directory: Path, *, is_new: bool) -> Iterator[str]:
    """What is worth knowing before anything begins."""
    if hint := idle_cores():
        yield hint
    if is_new and (warning := rules.warning(plan.study, plan.rounds[0])):
        yield warning
    yield from longer_is_in_vain(plan.study, directory)


def _check_layouts(plan: Plan, layouts: Layouts) -> None:
    """Refuse what no device has room for, and batches that cannot be split or read."""
    for name, members in plan.members.items():
        group = plan.group(name)
        layout, _ = layouts.guess(name, len(members))
        check_parts(group, layout)
        feed.check(group, layout)
