"""`repair`: what is damaged is forgotten, and the trials that it was of train again.

A trial is a function of the study, its number and the layout. So one whose records are
lost comes out as it was, bit for bit on a CPU at the versions that trained it, however
much of the run is there beside it: nothing that is sound is trained again.
"""

import collections
import dataclasses
from collections.abc import Collection, Iterable
from pathlib import Path

from tuner.rounds.bests import chosen
from tuner.rounds.budget import Budget
from tuner.rounds.display import Display
from tuner.rounds.preflight import preflight
from tuner.rounds.promotion import BEGINNINGS
from tuner.rounds.recovery import anew
from tuner.rounds.runner import run
from tuner.rounds.start import Choice, start
from tuner.rounds.stopping import stop_before_the_start
from tuner.runs import Run
from tuner.store import verdict
from tuner.store.audit import DEFINITION, LEDGER, VERDICT, Audit, check_files
from tuner.store.durable import DamagedError
from tuner.store.ledger import Ledger
from tuner.store.reader import read_definition, read_ledger
from tuner.store.writer import Writer
from tuner.study.rounds import round_of
from tuner.study.study import Study

NOTE = "trained again: its records were damaged"


@stop_before_the_start()
def repair(
    study: Study,
    directory: str | Path,
    *,
    memory: str | int | None = None,
    budget: Budget | None = None,
    display: Display | None = None,
    lock: bool = True,
) -> Run:
    """Train again the trials whose records are damaged, and go on as `run` does.

    What is damaged is forgotten in one commit, then the run goes on from there: if it
    is interrupted, by the same call or by `run`. A damaged verdict on steps is removed.

    Args:
        study: the run's; rounds that were added by `promote` need not be in it.
        directory: of the run.
        memory: as in `run`.
        budget: as in `run`.
        display: as in `run`.
        lock: as in `run`.

    Raises:
        DamagedError: where the ledger or the definition is, which is beyond repair.
        OtherStudyError: where the directory belongs to another study, or a function
            has changed since.
        LockedError: where another process writes it.
    """
    directory = Path(directory)
    audit = check_files(directory)
    for damage in audit.damaged:
        if damage.path in (LEDGER, DEFINITION):  # which is beyond repair
            raise DamagedError(directory / damage.path, damage.damage, damage.lost)
    there = read_definition(directory)["study"]["rounds"]
    rounds = [*study.rounds, *map(round_of, there[len(study.rounds) :])]
    study = dataclasses.replace(study, rounds=rounds)
    if not audit.is_sound:
        _forget(study, audit, lock)
    how = {"memory": memory, "budget": budget, "display": display, "lock": lock}
    return run(study, directory, **how)


def _forget(study: Study, audit: Audit, lock: bool) -> None:
    """Let the ledger say that what is damaged was never recorded."""
    directory = audit.directory
    before = read_definition(directory)
    plan = preflight(study, chosen(None, before, directory))
    start(plan, directory, before, Choice())  # refuses another study, or other code
    damaged = {damage.path for damage in audit.damaged} - {VERDICT}
    ledger = audit.ledger
    assert ledger is not None  # else it is beyond repair
    with Writer(directory, locked=lock, damaged=damaged) as writer:
        if read_ledger(directory).number != ledger.number:
            raise ValueError(
                f"{directory} was written while its files were held against the ledger:"
                " ask again"
            )
        writer.fix_schemas(*plan.schemas)
        again = trained_again(ledger, audit.trials, damaged)
        if damaged:
            rows = [row for row in ledger.trials if row.trial in again]
            writer.restart([anew(row, NOTE) for row in rows])
        if any(damage.path == VERDICT for damage in audit.damaged):
            verdict.remove(directory)


def trained_again(
    ledger: Ledger, lost: Iterable[int], damaged: Collection[str]
) -> set[int]:
    """The trials that must begin anew: those that lost something, and their sources.

    A trial that begins anew begins from the state that it began from at first. Where
    that is there no more, be it damaged or let go of, the trial that left it is trained
    again too. One whose own records are sound is left as it is, whoever it came from.

    Args:
        ledger: as it is.
        lost: trials of whose records some are lost.
        damaged: parts and snapshots, as the ledger names them.
    """
    rows = {row.trial: row for row in ledger.trials}
    left = collections.defaultdict(set)
    for place in ledger.entries:
        if place.path not in damaged and place.entry.what in BEGINNINGS:
            left[place.entry.trial].add(place.entry.step)
    again: set[int] = set()
    waiting = list(lost)
    while waiting:
        row = rows[waiting.pop()]
        again.add(row.trial)
        source = row.resumed_from
        if source is not None and row.start_step not in left[source]:
            waiting += [source] if source not in again else []
    return again
