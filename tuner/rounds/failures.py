"""Trials that failed: what they need could not be read, and others went on."""

from collections.abc import Iterable
from typing import NoReturn

from tuner.rounds.wording import count
from tuner.store.ledger import TrialRow


def told(trial: int, why: str) -> str:
    """A line about a trial that has failed just now."""
    return f"trial {trial} failed, and the others go on: {why}"


def raise_failed(number: int, rows: Iterable[TrialRow]) -> NoReturn:
    """End a run in which nothing can come after round `number`, for all of it failed.

    Raises:
        OSError: with what the first of them has failed with.
    """
    failed = [row for row in rows if row.round == number]
    raise OSError(
        f"no trial of round {number} could go on ({count(len(failed), 'trial')}), "
        f"trial {failed[0].trial} because {failed[0].note}: mend the data, and the "
        "same command goes on from where they stopped"
    )
