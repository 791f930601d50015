"""States that have outlived their neighbours move together: the dead take no room.

A snapshot holds states of many trials and lies on disk until none of them counts any
more. Once less than half of them do, a commit saves those anew, beside what it brings.
So all snapshots together are at most twice the states that count.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from tuner.store.durable import DamagedError
from tuner.store.ledger import Ledger
from tuner.store.reader import read_snapshot
from tuner.store.snapshots import Stack

Named = tuple[int, str]  # a trial, and what a state of it is kept as


def outlived(
    directory: Path, ledger: Ledger, paths: Iterable[str], ending: Collection[Named]
) -> Iterator[Stack]:
    """Yields what still counts of some snapshots; a damaged one stays where it is.

    Args:
        directory: of the run.
        ledger: before the commit.
        paths: of the snapshots.
        ending: states that the commit replaces or drops.
    """
    for path in paths:
        places = [
            place
            for place in ledger.entries
            if place.path == path
            and (place.entry.trial, place.entry.what) not in ending
        ]
        try:
            arrays = read_snapshot(directory, path, ledger)
        except DamagedError:  # who asks for one of its states is told
            continue
        rows = [place.row for place in places]
        yield Stack(
            entries=tuple(place.entry for place in places),
            arrays={leaf: array[rows] for leaf, array in arrays.items()},
        )
