"""Going on where a device's memory was not enough, as after any interruption.

The state of the lanes is lost with the call that failed. But a run can go on from any
commit, so a new driver does: what was not committed was never acknowledged, and is
trained once more. The program gets fewer chunks, which changes no bit. Only where it
has one chunk left must it become narrower, which changes bits: then the trials of it
that have not ended begin anew.
"""

import dataclasses
from typing import Any

import jax

from tuner.lanes.layout import Layout
from tuner.rounds.bests import LANE, Bests
from tuner.rounds.driver import Driver
from tuner.rounds.recorder import Recorder
from tuner.rounds.room import NoRoomError, TooLargeError
from tuner.rounds.session import Session
from tuner.rounds.wording import count
from tuner.store.ledger import ENDED, TrialRow
from tuner.store.reader import read_ledger

CODE = "RESOURCE_EXHAUSTED"  # XLA's; its errors have no field for it


def run_to_the_end(session: Session, events: list[dict[str, Any]]) -> None:
    """Let drivers run, each where the one before ran out of memory.

    Args:
        session: what they share.
        events: what the declaration says has happened; what happens is added.

    Raises:
        NoRoomError: where a program of a single lane still needs too much.
    """
    layouts, room = session.layouts, session.room
    while True:
        driver = _driver(session)
        try:
            return driver.run()
        except (jax.errors.JaxRuntimeError, TooLargeError) as error:
            if not is_out_of_memory(error):
                raise
            name, why = driver.at_work, str(error).partition("\n")[0]
            old = layouts.known.get(name, layouts.tried[name])
            if isinstance(error, TooLargeError):
                old = error.layout
            start = _start(error, old)
        # Out of the handler, whose traceback keeps what the lanes held.
        del driver
        if start is None:
            raise NoRoomError(
                f"a single lane of program {name} does not fit: {why}\n\n"
                f"{room.table(name, old)}"
            )
        new = room.fitting(name, start)
        event = _go_back(name, old, new, session)
        layouts.known[name] = new
        events.append(event)
        layouts.decided()
        session.display.note(f"program {name} {_said(event)}: {why}")


def _driver(session: Session) -> Driver:
    """One that goes on from the last commit."""
    ledger, target = read_ledger(session.directory), session.plan.study.target
    train, valid = session.plan.schemas
    session.accounts.go_back(ledger.figures)
    bests = None if session.plan.best_state == LANE else Bests()
    recorder = Recorder(ledger.trials, train, valid, target.sign, target.metric, bests)
    return Driver(session, recorder)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device's memory was not enough, at whatever call."""
    return isinstance(error, TooLargeError) or CODE in str(error)


def _start(error: BaseException, layout: Layout) -> Layout | None:
    """Where to begin to look for a layout that fits: half the lanes, if it ran.

    A program that only said what it needs has told enough to find the largest.
    """
    if isinstance(error, TooLargeError):
        return layout
    if layout.chunks > 1:
        return dataclasses.replace(layout, chunks=layout.chunks // 2)
    if layout.width > 1:
        return dataclasses.replace(layout, width=layout.width // 2)
    return None


def _go_back(name: str, old: Layout, new: Layout, session: Session) -> dict[str, Any]:
    """What happened; trials begin anew if bits change.

    That is durable before the new layout is: were it after, and the run killed between
    the two, trials would go on in lanes of another width.
    """
    ledger, restarted = read_ledger(session.directory), []
    if new.width != old.width:
        note = f"begun anew: out of memory in layout {old}, now {new}"
        restarted = [
            anew(row, note)
            for row in ledger.trials
            if row.group == name and row.status not in (*ENDED, "waiting")
        ]
        if restarted:
            session.writer.restart(restarted)
    return {
        "program": name,
        "layout": str(old),
        "now": str(new),
        "commit": ledger.number,
        "restarted": [row.trial for row in restarted],
    }


def _said(event: dict[str, Any]) -> str:
    """An event in words."""
    begun = count(len(event["restarted"]), "unfinished trial")
    anew = f", {begun} of it begun anew" if event["restarted"] else ""
    return f"goes on in layout {event['now']} from commit {event['commit']}{anew}"


def anew(row: TrialRow, note: str) -> TrialRow:
    """The ledger's row of a trial that begins anew."""
    unknown: dict[str, Any] = dict.fromkeys(
        (
            "best_step",
            "best_objective",
            "final_objective",
            "diverged_step",
            "diverged_learning_rate",
        )
    )
    return dataclasses.replace(
        row, status="waiting", step=row.start_step, note=note, **unknown
    )
