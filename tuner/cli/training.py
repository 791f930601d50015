"""The commands that train: what a study's file declares, and what is left of it."""

import os
import shlex
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import tuner
from tuner.cli.arguments import (
    LayoutText,
    NoLock,
    RunDirectory,
    Seed,
    StudyFile,
    Values,
)
from tuner.cli.leaving import how_to_go_on
from tuner.cli.saying import say
from tuner.rounds.exits import Exit


def run(
    study: StudyFile,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir", metavar="DIR", help="Where it is kept; runs/<name> if not given."
        ),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(metavar="N", help="Only the first N rounds.")
    ] = None,
    seed: Seed = None,
    values: Values = None,
    layout: LayoutText = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="4GB",
            help="Most that a device may hold; all it has if not given. With "
            "--dry-run, print what takes what (`all`: of what the device has).",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="2h",
            help="Pause once all sessions have used so much: 90m, 1h30m, 500000steps.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run; train nothing.")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="[=DIR]",
            help="Trace a few calls of the programs, into profile/ of the run or DIR.",
        ),
    ] = None,
    best_state: Annotated[
        str | None,
        typer.Option(
            metavar="snapshot",
            help="Save best states when trials improve, for less memory; `lane`, if "
            "not given: in the lanes.",
        ),
    ] = None,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart",
            help="Where the study or its code is not the run's: begin anew, and move "
            "the run aside.",
        ),
    ] = False,
    fork: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Go on in a copy of the run, made there."),
    ] = None,
    accept_change: Annotated[
        bool,
        typer.Option(
            "--accept-change",
            help="Where the code is not the run's: go on, and keep a record of that.",
        ),
    ] = False,
    no_lock: NoLock = False,
) -> None:
    """Run a study; what was interrupted goes on by the same command."""
    limit = None if budget is None else tuner.Budget.parse(budget)
    chosen = _load(study, rounds=rounds, seed=seed, values=values or ())
    if dry_run:
        from tuner.cli.outline import outline
        from tuner.rounds.preflight import preflight

        plan = preflight(chosen, best_state) if best_state else preflight(chosen)
        say(outline(plan, layout, memory))
        return
    directory = directory or Path("runs", chosen.name)
    before = None if restart else _trial_steps(fork or directory)
    traced = profile or profile is not None  # True for the run's own folder
    done = tuner.run(
        chosen,
        directory,
        layout=layout,
        memory=memory,
        budget=limit,
        profile=traced,
        best_state=best_state,
        restart=restart,
        fork=fork,
        accept_change=accept_change,
        lock=not no_lock,
    )
    if done.status != "complete":
        if limit is not None and limit.is_used_up(done.figures):
            _pause(done, limit)
        _leave(done.directory)
    if before == done.figures["trial_steps"]:
        say(f"{chosen.name} was complete already, in {done.directory}.")
    _conclude(done)


def promote(
    directory: RunDirectory,
    steps: Annotated[int, typer.Option(metavar="N", help="The new horizon.")],
    keep: Annotated[
        int, typer.Option(metavar="N", help="How many of the last round's best go on.")
    ] = 0,
    extend: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="How schedules become longer: constant, stretch, decay, or "
            "constant=150 with another decay; several, with commas, each train.",
        ),
    ] = None,
    trials: Annotated[
        str | None, typer.Option(metavar="3,7,12", help="These, in place of --keep.")
    ] = None,
    control: Annotated[
        int, typer.Option(metavar="N", help="Besides, some that are not the best.")
    ] = 0,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Fresh seeds of each.")
    ] = None,
    across: Annotated[
        str, typer.Option(help="Shares for each scientific combination, or all.")
    ] = "each",
    study: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The study; found in studies/ if not given."),
    ] = None,
    no_lock: NoLock = False,
) -> None:
    """Add a round to a run: its best trials, trained longer."""
    from tuner.cli.promoting import extensions_of, file_of, numbers_of

    opened = tuner.open_run(directory)
    chosen = _load(study or file_of(opened))
    done = tuner.promote(
        opened,
        study=chosen,
        keep=keep if trials is None else numbers_of(trials),
        max_train_steps=steps,
        extend=extensions_of(extend) if extend else None,
        across=across,
        control=control,
        seeds=seeds,
        lock=not no_lock,
    )
    if done.status != "complete":
        _leave(directory)
    _conclude(done)


def repair(
    directory: RunDirectory,
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY]",
            help="The study's file; found in studies/ if not given.",
        ),
    ] = None,
    seed: Seed = None,
    values: Values = None,
) -> None:
    """Train again the trials of a run whose records are damaged."""
    from tuner.cli.promoting import file_of
    from tuner.cli.repairing import examined

    if not examined(directory):
        return
    opened = tuner.open_run(directory)
    chosen = _load(study or file_of(opened), seed=seed, values=values or ())
    done = tuner.repair(chosen, directory)
    if done.status != "complete":
        _leave(directory)
    _conclude(done)


def try_(
    study: StudyFile,
    trial: Annotated[
        int, typer.Option(metavar="N", help="Which, of the first round.")
    ] = 0,
    steps: Annotated[
        int | None, typer.Option(metavar="N", help="How many; all if not given.")
    ] = None,
    eager: Annotated[
        bool,
        typer.Option("--eager", help="Without jax.jit: for print and a debugger."),
    ] = False,
    values: Values = None,
) -> None:
    """Train one trial alone, and print its losses."""
    chosen = _load(study, values=values or ())

    from tuner.cli.attempt import attempt

    for line in attempt(chosen, trial, steps=steps, eager=eager):
        say(line)


def steps(
    study: StudyFile,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="The study's run; all is kept in its folder steps/. runs/<name> if "
            "not given.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of the training set in evaluation mode, such as train/error; the "
            "study's own error or accuracy if not given.",
        ),
    ] = None,
    perfect: Annotated[
        float | None,
        typer.Option(
            metavar="VALUE", help="Of the metric, where the set is fitted; 0, or 1."
        ),
    ] = None,
    maximize: Annotated[
        bool, typer.Option("--maximize", help="The metric is to be large.")
    ] = False,
    rate: Annotated[
        str, typer.Option(metavar="NAME", help="The learning rate's, in the space.")
    ] = "learning_rate",
    low: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="Lowest of the grid; the study's own."),
    ] = None,
    high: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="Highest of the grid; the study's own."),
    ] = None,
    rates: Annotated[
        int | None,
        typer.Option(metavar="N", help="How many; four a decade if not given."),
    ] = None,
    trials: Annotated[
        int,
        typer.Option(metavar="N", help="That look for a configuration which fits."),
    ] = 16,
    first_steps: Annotated[
        int | None,
        typer.Option(metavar="N", help="Their first horizon; that of round 1."),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(metavar="N", help="Their last; 16 times the first."),
    ] = None,
    evaluations: Annotated[
        int, typer.Option(metavar="N", help="Of a trial of the grid.")
    ] = 50,
    seed: Seed = None,
    values: Values = None,
    layout: LayoutText = None,
    memory: Annotated[
        str | None, typer.Option(metavar="4GB", help="Most that a device may hold.")
    ] = None,
    no_lock: NoLock = False,
) -> None:
    """Find out in how many steps the training set can be fitted, if it can."""
    chosen = _load(study, seed=seed, values=values or ())
    directory = directory or Path("runs", chosen.name)
    found = tuner.find_steps(
        chosen,
        directory,
        metric=tuner.Maximize(metric) if maximize and metric else metric,
        perfect=perfect,
        rate=rate,
        low=low,
        high=high,
        rates=rates,
        trials=trials,
        first_steps=first_steps,
        max_steps=max_steps,
        evaluations=evaluations,
        layout=layout,
        memory=memory,
        lock=not no_lock,
    )
    if found.verdict == "unfinished":
        _leave(directory)

    from tuner.cli.steps import print_steps
    from tuner.cli.tables import make_console

    print_steps(found, chosen, directory, sys.argv[1:], make_console())


def _load(reference: str, **changes: Any) -> Any:
    """The study with its changes; an error of its own file shows that file's lines."""
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(f"loading {reference}")):
        from tuner.cli import studies

        studies.use_all_cores()
        try:
            return studies.changed(studies.load_study(reference), **changes)
        except studies.BrokenStudyError as error:
            traceback.print_exception(error.__cause__)
            raise typer.Exit(Exit.FAILED) from None


def _trial_steps(directory: Path) -> int:
    """Steps that were made in a directory before; none where there is no run."""
    try:
        return tuner.open_run(directory).figures.get("trial_steps", 0)
    except FileNotFoundError:
        return 0


def _conclude(done: "tuner.Run") -> None:
    """What a complete run has to say."""
    from tuner.cli.tables import make_console, print_best
    from tuner.cli.texts import costs

    print_best(done, make_console())
    say(f"\n{costs(done.figures, done.trials)}")
    say(f"report: {tuner.write_report(done)}")


def _pause(done: "tuner.Run", budget: "tuner.Budget") -> NoReturn:
    """Say that the budget is used up, how far it got, and how to go on."""
    from tuner.cli.texts import costs, standing, with_budget

    spent = costs(done.figures, done.trials)
    larger = shlex.join(["tuner", *with_budget(sys.argv[1:], budget.doubled())])
    say(
        f"the budget of {budget} is used up\n\n{spent}\n\n{standing(done)}\n\n"
        f"{done.directory} keeps what was done; go on with a larger one, or none, by"
        f"\n\n  {larger}"
    )
    raise typer.Exit(Exit.INTERRUPTED)


def _leave(directory: Path) -> NoReturn:
    """Say how to go on, and leave at once.

    JAX may crash in the interpreter's own exit after an interruption.
    """
    say(f"interrupted; {directory} keeps what was done; {how_to_go_on()}")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(Exit.INTERRUPTED)
