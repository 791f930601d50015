"""What the command answers to SIGINT and SIGTERM while no run trains: it leaves.

There is nothing to save then: before training nothing is written, after it all is. So
it leaves at once, by a thread, and whatever the main thread does is cut off as by
SIGKILL. While a run trains, `tuner.run` answers in its place.
"""

import atexit
import contextlib
import dataclasses
import os
import shlex
import signal
import sys

from tuner.rounds.exits import Exit
from tuner.rounds.stopping import SIGNALS, Watch

# Commands that go on with what they began when they are typed again.
GOES_ON = ("run", "promote", "steps", "repair")


@dataclasses.dataclass
class Departure:
    """How a signal would end the process just now.

    Attributes:
        code: with which it exits.
        words: that it leaves on the standard error.
    """

    code: int
    words: str

    def leave(self) -> None:
        """Do so, from whichever thread."""
        # What is shown as something loads leaves its line open and hides the cursor.
        tidy = "\n\x1b[?25h" if os.isatty(2) else ""
        with contextlib.suppress(OSError):  # whoever read it may have left before
            os.write(2, f"{tidy}{self.words}".encode())
        os._exit(self.code)

    def ended(self, code: int) -> None:
        """The command has: what is left of the process changes nothing any more."""
        self.code, self.words = code, ""


def leave_on_signals() -> Departure:
    """Answer signals from now on to the end of the process."""
    departure = Departure(Exit.LEFT, "")
    command = next((a for a in sys.argv[1:] if not a.startswith("-")), "")
    if command in GOES_ON:
        departure = Departure(Exit.INTERRUPTED, f"interrupted; {how_to_go_on()}\n")
    # The first to be registered is called last, when only the interpreter is left: it
    # would give the signals back to the system, which kills.
    atexit.register(_ignore_signals)
    Watch(departure.leave).begin()
    return departure


def how_to_go_on() -> str:
    """The line to type."""
    return f"go on by\n\n  {shlex.join(['tuner', *sys.argv[1:]])}"


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
