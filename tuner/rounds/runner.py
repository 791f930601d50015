"""`run` and `promote`: a study and a directory in, a run out."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuner.lanes import feed
from tuner.lanes.compile_cache import programs_kept
from tuner.lanes.layout import idle_cores
from tuner.lanes.trial import check_parts
from tuner.rounds import rules
from tuner.rounds.accounts import Accounts
from tuner.rounds.budget import Budget
from tuner.rounds.definition import check_same, definition
from tuner.rounds.display import Display
from tuner.rounds.driver import Driver
from tuner.rounds.groups import by_group, make_group
from tuner.rounds.layouts import LayoutLike, Layouts
from tuner.rounds.preflight import Plan, preflight
from tuner.rounds.profile import Profile
from tuner.rounds.progress import make_display
from tuner.rounds.recorder import Recorder, schemas
from tuner.rounds.recovery import OUT_OF_MEMORY, run_to_the_end
from tuner.rounds.room import Room
from tuner.rounds.stopping import stop_on_signals
from tuner.runs import Run
from tuner.store.definition import NAME
from tuner.store.reader import read_definition, read_ledger
from tuner.store.writer import Writer
from tuner.study.stopping import target
from tuner.study.study import Round, Study


def run(
    study: Study,
    directory: str | Path,
    *,
    layout: LayoutLike | None = None,
    memory: str | int | None = None,
    budget: Budget | None = None,
    display: Display | None = None,
    profile: bool | str | Path = False,
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

    Raises:
        ValueError, TypeError: before anything compiles, for what can never run.
        OtherStudyError: where the directory belongs to another study.
        LockedError: where another process writes it.
    """
    directory = Path(directory)
    plan = preflight(study)
    before = _definition_before(directory, study)
    room = Room(plan, memory)
    layouts = Layouts(plan.groups, before.get("layouts", {}), layout, room)
    events = list(before.get(OUT_OF_MEMORY, []))
    _check_layouts(plan, layouts)
    with Writer(directory) as writer, stop_on_signals() as stop, programs_kept():

        def decided() -> None:
            happened = {OUT_OF_MEMORY: events} if events else {}
            said = definition(study, layouts.known, before)
            writer.write_definition(said | happened)

        layouts.decided = decided
        decided()
        train, valid = schemas(plan.scheduled, plan.train, plan.valid)
        writer.fix_schemas(train, valid)
        display = display or make_display(study, stop)
        accounts = Accounts(read_ledger(directory).figures)

        trace = Profile(_profile_folder(directory, profile), display.note)

        def make_driver() -> Driver:
            """One that goes on from the last commit."""
            ledger, target = read_ledger(directory), study.target
            accounts.go_back(ledger.figures)
            recorder = Recorder(ledger.trials, train, valid, target.sign, target.metric)
            return Driver(
                plan,
                directory,
                writer,
                recorder,
                layouts,
                room,
                accounts,
                display,
                stop,
                budget,
                trace,
            )

        if hint := idle_cores():
            display.note(hint)
        if not before and (text := rules.warning(study, plan.rounds[0])):
            display.note(text)
        try:
            run_to_the_end(make_driver, directory, writer, events, display)
        finally:
            trace.close()
            display.close()
    return Run(directory, study=study)


def promote(
    run_: Run,
    *,
    keep: int,
    max_train_steps: int,
    extend: Callable[[Any, int], Any],
    across: str = "each",
    study: Study | None = None,
    layout: LayoutLike | None = None,
    memory: str | int | None = None,
    budget: Budget | None = None,
    display: Display | None = None,
) -> Run:
    """Add a round to a run: its best trials, trained longer.

    Args:
        run_: the run, complete or not: what is left of it is run first.
        keep: how many trials of the last round go on, as in `Round`.
        max_train_steps: their new horizon.
        extend: the rule by which their schedules become longer.
        across: "each" scientific combination keeps its share, or "all" together.
        study: the definition, where the run was opened without it.
        layout: as in `run`.
        memory: as in `run`.
        budget: as in `run`.
        display: as in `run`.

    Raises:
        ValueError: where the definition is missing, or the round cannot be.
    """
    study = study or run_.study
    if study is None:
        raise ValueError(
            "promoting needs the study's functions, but a run that was opened has only "
            "its data: pass study=, or promote what tuner.run returned"
        )
    if run_.has_reached(study_target := target(study.rules)):
        raise ValueError(
            f"no round follows a study whose target is reached, but {study_target} is: "
            "pass study=dataclasses.replace(study, stop=()), or a harder target"
        )
    longer = Round(
        keep=keep, max_train_steps=max_train_steps, extend=extend, across=across
    )
    study = dataclasses.replace(study, rounds=(*study.rounds, longer))
    return run(
        study,
        run_.directory,
        layout=layout,
        memory=memory,
        budget=budget,
        display=display,
    )


def _profile_folder(directory: Path, profile: bool | str | Path) -> Path | None:
    if isinstance(profile, bool):
        return directory / "profile" if profile else None
    return Path(profile)


def _definition_before(directory: Path, study: Study) -> dict[str, Any]:
    """What the directory holds of the same study; nothing where it is new."""
    if not (directory / NAME).exists():
        return {}
    before = read_definition(directory)
    check_same(before, study, directory)
    return before


def _check_layouts(plan: Plan, layouts: Layouts) -> None:
    """Refuse what no device has room for, and batches that cannot be split or read."""
    everything = [trial for trials in plan.rounds for trial in trials]
    for name, members in by_group(plan.study, everything).items():
        group = make_group(plan.study, members[0])
        layout, _ = layouts.guess(name, len(members))
        check_parts(group, layout)
        feed.check(group, layout)
