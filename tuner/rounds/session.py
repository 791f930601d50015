"""One start of a run: what its drivers share, however many of them it takes."""

import dataclasses
import threading
from pathlib import Path

from tuner.rounds.accounts import Accounts
from tuner.rounds.budget import Budget
from tuner.rounds.declaration import Declaration
from tuner.rounds.display import Display
from tuner.rounds.layouts import Layouts
from tuner.rounds.preflight import Plan
from tuner.rounds.profile import Profile
from tuner.rounds.room import Room
from tuner.store.writer import Writer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """From the plan to the display.

    Attributes:
        plan: what is to be trained.
        directory: where its records are.
        writer: of them.
        declaration: what the directory says of the run.
        layouts: of its programs.
        room: what fits the devices.
        accounts: what all of it costs.
        display: what shows the progress.
        stop: set when the run was asked to stop.
        budget: what all sessions may use together, or None.
        profile: what traces a few calls, if that was asked for.
    """

    plan: Plan
    directory: Path
    writer: Writer
    declaration: Declaration
    layouts: Layouts
    room: Room
    accounts: Accounts
    display: Display
    stop: threading.Event
    budget: Budget | None
    profile: Profile
