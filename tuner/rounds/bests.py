"""Best states that come by themselves: when a trial improves, and not in its lane.

Until a commit the newest of a trial replaces those before. What is best at a trial's
branch step is kept for those that begin there, though the trial may improve on it; and
the best of those is the same until they improve. Neither is a copy of what is saved
already: the ledger says once more where it lies.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.store.ledger import Share
from tuner.store.snapshots import Entry, Stack

LANE, SNAPSHOT = "lane", "snapshot"
OF_START = {"branch": "branch_best", "last": "best"}  # what a promoted trial inherits


def chosen(asked: str | None, before: Mapping[str, Any], directory: Path) -> str:
    """Where best states are: as the directory has it, else as asked, else in lanes.

    Args:
        asked: by who runs the study.
        before: what the directory says.
        directory: for the message.

    Raises:
        ValueError: where it is not as the directory has it.
    """
    has = before.get("best_state", LANE) if before else None
    if None not in (asked, has) and asked != has:
        raise ValueError(
            f"a run's best_state never changes, but {directory} has {has!r}, and "
            f"{asked!r} was asked for: leave it out, or give the study another "
            "directory"
        )
    return has or asked or LANE


class Bests:
    """What has come since the last commit."""

    def __init__(self) -> None:
        self._newest: dict[tuple[int, str], Stack] = {}
        self._shares: list[Share] = []

    def add(self, best: Stack) -> None:
        """A trial has improved: its new best state, as a stack of one."""
        [entry] = best.entries
        self._newest[entry.trial, entry.what] = best

    def branch(self, trial: int, best_step: int | None) -> None:
        """A trial is at its branch step: what is best there stays, if there is any."""
        best = self._newest.get((trial, "best"))
        if best is not None:
            entry = Entry(trial=trial, what="branch_best", step=best.entries[0].step)
            kept = Stack(entries=(entry,), arrays=best.arrays)
            self._newest[trial, "branch_best"] = kept
        elif best_step is not None:
            self._share(trial, "branch_best", trial, "best", best_step)

    def inherit(self, trial: int, other: int, start: str, best_step: int) -> None:
        """A trial begins from another's state, and that one's best is its own so far.

        Args:
            trial: that begins.
            other: whose state it begins from.
            start: "branch" or "last".
            best_step: of that state; below 0 where there is none yet.
        """
        if best_step >= 0:
            self._share(trial, "best", other, OF_START[start], best_step)

    def take(self) -> tuple[list[Stack], list[Share]]:
        """All of it, and begin anew."""
        taken = list(self._newest.values()), self._shares
        self._newest, self._shares = {}, []
        return taken

    def _share(
        self, trial: int, what: str, of_trial: int, of_what: str, step: int
    ) -> None:
        self._shares.append(
            Share(trial=trial, what=what, of_trial=of_trial, of_what=of_what, step=step)
        )
