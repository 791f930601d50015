"""What the states of a study take on the disk, at most, known before it runs.

Of every trial there are two: at its end, the best with it, and at its branch step. What
counts is at most doubled by the dead that lie beside the living, and what trains lies
there twice while a commit replaces it. All trials are taken to be as large as the
largest.
"""

import math
from collections.abc import Iterator

from tuner.rounds.keeping import patience
from tuner.rounds.preflight import Plan
from tuner.study.keep import EVERYTHING


def most_bytes(plan: Plan, lanes: int) -> int:
    """Bytes of the states that lie there at any time, at most.

    Args:
        plan: what `preflight` returns.
        lanes: of all programs together.
    """
    keep, sizes = plan.study.snapshots, list(_sizes(plan))
    each = max(signature.lane_bytes for signature in plan.groups.values())
    training = 2 * lanes
    everything = 2 * sum(sizes)
    if keep == EVERYTHING:
        return (everything + training) * each
    kept = sum(
        min(size, most) if most is not None else size
        for size in sizes
        for most in (keep.best, keep.branch)
    )
    needed = 2 * max(_needed(plan, sizes), default=0)
    meanwhile = 2 * (patience(keep) + lanes)  # has ended since it was looked at
    living = min(everything, kept + needed + meanwhile)
    return (2 * living + training) * each


def _sizes(plan: Plan) -> Iterator[int]:
    """The trials of each round, at most."""
    for number, new in enumerate(plan.rounds, start=1):
        yield len(new) + plan.study.progression.most_promoted(number)


def _needed(plan: Plan, sizes: list[int]) -> Iterator[int]:
    """Of each round that another follows: who may go on, with all relatives."""
    progression, rounds = plan.study.progression, plan.study.rounds
    for number, following in enumerate(rounds[1:], start=1):
        families = following.num_kept if not following.control else sizes[number - 1]
        if progression.most_replicates(number) > 1:
            families = sizes[number - 1]
        each = math.prod(max(1, len(r.extensions)) for r in rounds[:number])
        yield sum(min(size, families * each) for size in sizes[:number])
