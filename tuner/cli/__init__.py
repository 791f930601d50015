"""The command `tuner`: each command parses, calls one public function, and prints."""

from tuner.cli.leaving import leave_on_signals
from tuner.rounds.exits import Exit


def main() -> None:
    """Be the process `tuner`, and answer signals from here to its end."""
    departure = leave_on_signals()

    # Only now, since it takes a while.
    from tuner.cli import commands

    try:
        commands.main()
    except SystemExit as ended:
        # Python's own rule: None is 0, and a message 1.
        code = ended.code or Exit.DONE
        departure.ended(code if isinstance(code, int) else Exit.FAILED)
        raise
    except BaseException:
        departure.ended(Exit.FAILED)
        raise


__all__ = ["main"]
