"""The commands that read a run: none of them waits for JAX."""

from pathlib import Path
from typing import Annotated

import typer

import tuner
from tuner.cli.arguments import RunDirectory
from tuner.cli.saying import hand_over, say
from tuner.rounds.exits import Exit


def status(directory: RunDirectory) -> None:
    """Say where a run stands, whoever trains it."""
    from tuner.cli.texts import standing

    say(standing(tuner.open_run(directory)))


def trials(
    directory: RunDirectory,
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON, with all columns.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="As CSV, with all columns.")
    ] = False,
    as_tree: Annotated[
        bool, typer.Option("--tree", help="Who was promoted from whom.")
    ] = False,
) -> None:
    """Print the trials of a run."""
    opened = tuner.open_run(directory)
    if as_json:
        hand_over(opened.trials.write_json() + "\n")
    elif as_csv:
        hand_over(opened.trials.write_csv())
    elif as_tree:
        from tuner.cli.tables import make_console
        from tuner.cli.tree import print_tree

        print_tree(opened, make_console())
    else:
        from tuner.cli.tables import make_console, print_trials

        print_trials(opened, make_console())


def best(
    directory: RunDirectory,
    optax: Annotated[
        bool, typer.Option("--optax", help="Only its schedule, as Optax code.")
    ] = False,
) -> None:
    """Print the best trial's configuration and schedule."""
    from tuner.cli.winner import optax_of_winner, winner

    opened = tuner.open_run(directory)
    say(optax_of_winner(opened) if optax else winner(opened))


def list_(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where runs lie.")
    ] = Path("runs"),
) -> None:
    """List the runs of a directory."""
    from tuner.cli.tables import find_runs, make_console, print_runs

    runs = find_runs(directory)
    if runs:
        print_runs(runs, make_console())
    else:
        say(f"There are no runs in {directory}.")


def check_files(directory: RunDirectory) -> None:
    """Hold every file of a run against its ledger; exit code 1 where one is damaged."""
    from tuner.cli.damage import told

    audit = tuner.check_files(directory)
    say(told(audit))
    if not audit.is_sound:
        raise typer.Exit(Exit.FAILED)


def report(directory: RunDirectory) -> None:
    """Write the page of a run, and print where it lies."""
    say(tuner.write_report(tuner.open_run(directory)))
