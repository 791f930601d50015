"""Which states a run lets go of, so that what it keeps on the disk is bounded.

A study says of how many trials of each round. The states of a trial that trains, that
may still go on in a round to come, or that another will begin from, stay whatever it
says; and so do those of their relatives. Who ranks among the best of those that have
ended ranks among the best of any of them: so letting go early loses nothing.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from tuner.analysis.ranking import select
from tuner.rounds.promotion import ranking
from tuner.rounds.recorder import OVER
from tuner.runs import Run
from tuner.store.ledger import ENDED, Ledger, TrialRow
from tuner.store.reader import read_ledger
from tuner.study.keep import EVERYTHING, Keep
from tuner.study.study import Study

OF_KIND = {"best": ("best", "last"), "branch": ("branch", "branch_best")}
PATIENCE = 16  # trials that end before it is worth to look again

Rows = Mapping[int, TrialRow]


class Keeping:
    """Says, now and then, which states are kept no more."""

    def __init__(self, study: Study, directory: Path) -> None:
        self._study, self._directory = study, directory
        self._looked = 0  # trials that had ended when it looked last

    @property
    def lets_go(self) -> bool:
        """Whether any are."""
        return self._study.snapshots != EVERYTHING

    def is_due(self, rows: Rows) -> bool:
        """Whether enough trials have ended since it looked last."""
        if not self.lets_go:
            return False
        return _num_ended(rows) >= self._looked + patience(self._study.snapshots)

    def dropped(self, number: int) -> list[tuple[int, str]]:
        """States that are kept no more, each a trial and what it was kept as.

        Args:
            number: of the round that trains.
        """
        if not self.lets_go:
            return []
        keep = self._study.snapshots
        ledger = read_ledger(self._directory)
        rows = {row.trial: row for row in ledger.trials}
        self._looked = _num_ended(rows)
        run = Run(self._directory)
        needed = _needed(self._study, number, rows, run)
        best_first = run.ranked["trial"].to_list()
        return [
            state
            for kind, whats in OF_KIND.items()
            if (most := getattr(keep, kind)) is not None
            for state in _beyond(most, best_first, rows, needed, ledger, whats)
        ]


def patience(keep: Keep) -> int:
    """How many trials end before their states are looked at again."""
    return max(PATIENCE, keep.best or 0, keep.branch or 0)


def _num_ended(rows: Rows) -> int:
    return sum(row.status in ENDED for row in rows.values())


def _beyond(
    most: int,
    best_first: list[int],
    rows: Rows,
    needed: set[int],
    ledger: Ledger,
    whats: tuple[str, ...],
) -> Iterator[tuple[int, str]]:
    """Of trials that have ended: not of the best of each round, nor of those needed."""
    places: dict[int, int] = {}  # trials counted, by round
    stay = set(needed)
    for trial in best_first:
        row = rows[trial]
        if row.status in ENDED and places.setdefault(row.round, 0) < most:
            places[row.round] += 1
            stay.add(trial)
    for place in ledger.entries:
        trial, what = place.entry.trial, place.entry.what
        if what in whats and trial not in stay and rows[trial].status in ENDED:
            yield trial, what


def _needed(study: Study, number: int, rows: Rows, run: Run) -> set[int]:
    """Trials whose states others begin from, or may; and their relatives."""
    sources = {
        row.resumed_from
        for row in rows.values()
        if row.resumed_from is not None
        and row.status not in ENDED
        and row.step == row.start_step
    }
    left = {row.trial for row in rows.values() if row.note == OVER}
    fine = {row.round for row in rows.values() if row.status in set(ENDED) - {"failed"}}
    # Where no trial of a round can go on, all of them are taken up once they can.
    left |= {row.trial for row in rows.values() if row.round not in fine}
    named = {
        trial for round_ in study.rounds[number:] for trial in round_.kept_trials or ()
    }
    going_on = _may_go_on(study, number, rows, run)
    families = {_family(rows[trial]) for trial in (going_on | named) & rows.keys()}
    relatives = {row.trial for row in rows.values() if _family(row) in families}
    return sources | left | relatives


def _may_go_on(study: Study, number: int, rows: Rows, run: Run) -> set[int]:
    """Trials of a round that the next one may choose."""
    if number >= len(study.rounds):
        return set()
    following = study.rounds[number]
    if not following.num_promoted or following.kept_trials is not None:
        return set()
    of_round = {row.trial for row in rows.values() if row.round == number}
    if following.control:  # they are drawn from the others
        return of_round
    ranked = ranking(study, number, run)
    chosen = select(
        ranked,
        following.num_kept,
        across=following.across,
        combinations=len(study.progression.combinations_in(number)),
    )
    passed_over = ranked.filter(pl.col("trial").is_in(chosen).not_())
    out = {trial for members in passed_over["members"] for trial in members}
    broken = {t for t in of_round if rows[t].status in ENDED[1:]}
    return of_round - out - broken


def _family(row: TrialRow) -> tuple:
    """What trials share that may begin from each other's states."""
    return row.combination, row.sample, row.replicate
