"""What `tuner repair` says before it trains, and whether there is anything to do."""

from pathlib import Path

import typer

import tuner
from tuner.cli.damage import told
from tuner.rounds.exits import Exit


def examined(directory: Path) -> bool:
    """Say what is damaged; whether there is anything to train.

    Raises:
        typer.Exit: where the run is beyond repair.
    """
    audit = tuner.check_files(directory)
    typer.echo(f"{told(audit)}\n")
    if audit.is_beyond_repair:
        raise typer.Exit(Exit.FAILED)
    return not audit.is_sound or tuner.open_run(directory).status != "complete"
