"""What the states of a study take on the disk, at most, known before it runs.

Of every trial there are two: at its end, the best with it, and at its branch step.
Where not all are kept, as many dead may lie beside the living, and while a commit moves
the living, they lie there twice. What trains lies there twice while a commit replaces
it. All trials are taken to be as large as the largest.
"""

import math
from collections.abc import Iterator

from tuner.rounds.committer import MOST_KEPT_BYTES
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
    training = 2 * lanes * each
    everything = 2 * sum(sizes) * each
    if keep == EVERYTHING:
        return everything + training
    kept = sum(
        size if most is None else min(size, most)
        for size in sizes
        for most in (keep.best, keep.branch)
    )
    needed = 2 * max(_needed(plan, sizes), default=0)
    brought = MOST_KEPT_BYTES + 2 * lanes * each  # by a commit, before it is looked at
    living = (kept + needed + 2 * patience(keep)) * each + brought
    return training + min(everything + living, 3 * living + brought)


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
