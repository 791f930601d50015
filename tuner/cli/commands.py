"""`tuner`: the command that the arguments name, and its refusals in a line.

What a command needs is imported in it, so that `tuner --help` waits for nothing, and
only what trains waits for JAX.
"""

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from tuner.cli import reading, training
from tuner.cli.saying import say
from tuner.rounds.exits import Exit
from tuner.store.durable import DamagedError
from tuner.store.lock import LockedError

REFUSALS = (ValueError, TypeError, LookupError, OSError, LockedError, DamagedError)
PACKAGE = Path(__file__).parents[1]
COMMANDS = {
    "run": training.run,
    "promote": training.promote,
    "try": training.try_,
    "steps": training.steps,
    "status": reading.status,
    "trials": reading.trials,
    "best": reading.best,
    "list": reading.list_,
    "report": reading.report,
    "check-files": reading.check_files,
    "repair": training.repair,
}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="With --debug, anywhere in a command, an error shows where it comes from.",
)
for name, command in COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """Run the command that the arguments name."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv if argument != "--debug"]
    # An option of Typer's has a value or has none; this one's is empty if not given.
    sys.argv = ["--profile=" if a == "--profile" else a for a in arguments]
    try:
        app(prog_name="tuner")
    except REFUSALS as error:
        if debug or not _is_ours(error):
            raise
        say(f"error: {error}", err=True)
        for note in getattr(error, "__notes__", ()):
            if not note.startswith("---"):  # JAX's word on its own frames
                say(f"  {note}", err=True)
        sys.exit(Exit.REFUSED)


@app.callback(invoke_without_command=True)
def _tuner(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.")
    ] = False,
) -> None:
    """Hyperparameter tuning for JAX: many short trials, and the best go further."""
    if show_version:
        from importlib.metadata import version

        typer.echo(version("jax-tuner"))
        raise typer.Exit


def _is_ours(error: BaseException) -> bool:
    """Whether a check of this package raised it, rather than a study's own code."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    return Path(innermost.f_code.co_filename).is_relative_to(PACKAGE)
