"""Sampling: which points of a space a study tries.

Sample i of every combination is point i of one sequence in the unit cube, which depends
on the seed and the version of the space alone: not on results, nor on how many samples
are asked for. Each name reads a coordinate of its own, the same in every combination
that has the name, so that scientific values are compared on the same points.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jaxtyping as jt
import numpy as np

from tuner.study.domains import Choice, Domain, SubSpace
from tuner.study.names import unknown
from tuner.study.space import Space, is_active, is_enumerated
from tuner.study.values import Value

Points = jt.Float64[np.ndarray, "count coordinates"]


def sample(
    space: Space,
    combination: Mapping[str, Value],
    *,
    seed: int,
    version: int,
    start: int,
    count: int,
    method: str = "halton",
) -> list[dict[str, Value]]:
    """Configurations number `start` to `start + count - 1` of a combination.

    Args:
        space: what is searched.
        combination: one of `space.combinations()`.
        seed: of the sequence.
        version: of the space, 0 for a study's first.
        start: number of the first sample, 0 for a grid.
        count: of samples; a square for a grid in two dimensions.
        method: "halton", quasi-random and evenly spread; "random", independent
            points; "grid", the corners included, for one dimension or two.
    """
    if method not in METHODS:
        raise ValueError(unknown("sampling method", method, METHODS))
    names = space.nuisances(combination)
    places = coordinates(space)
    used = sorted({places[name] for name in names})
    points = METHODS[method](used, [seed, version], start, count)
    return [
        _configuration(
            space, combination, names, {n: row[used.index(places[n])] for n in names}
        )
        for row in points.tolist()
    ]


def coordinates(space: SubSpace) -> dict[str, int]:
    """The coordinate of the sequence that each sampled name reads.

    Unconditional names come first, then what the chosen values bring. Spaces that
    exclude each other share coordinates. Where several `Choice`s may open spaces, they
    take the remaining coordinates in turns. So a new value, whatever it opens, moves no
    other name. (A plain scientific `Choice` of strings counts as well: its next value
    may open a space.)
    """
    return dict(_deal(space, 0, 1, ""))


def halton(used: Sequence[int], seeds: list[int], start: int, count: int) -> Points:
    """Points of a scrambled Halton sequence.

    References:
        Art B. Owen, A randomized Halton algorithm in R, 2017,
        https://arxiv.org/abs/1706.02808
    """
    from scipy.stats import qmc  # half a second, which most commands need not wait for

    num_coordinates = max(used, default=-1) + 1
    sequence = qmc.Halton(num_coordinates, rng=np.random.default_rng(seeds))
    return sequence.random(start + count)[start:, list(used)]


def uniform(used: Sequence[int], seeds: list[int], start: int, count: int) -> Points:
    """Independent points, each coordinate from a generator of its own."""
    columns = [
        np.random.default_rng([*seeds, coordinate]).random(start + count)[start:]
        for coordinate in used
    ]
    return np.array(columns).reshape(len(used), count).T


def grid(used: Sequence[int], seeds: list[int], start: int, count: int) -> Points:
    """Evenly spaced points, the first coordinate slowest, both ends included."""
    dimensions = len(used)
    if dimensions > 2:
        raise ValueError(
            f"a grid is for at most two searched dimensions, but got {dimensions}: use "
            'sampling="halton", which covers each of them with every trial'
        )
    if start:
        raise ValueError(
            f"a grid cannot be continued, but got (start={start}): ask for all of it "
            'in one round, or use sampling="halton"'
        )
    side = [1, count, math.isqrt(count)][dimensions]
    if side**dimensions != count:
        near = sorted({side**dimensions, (side + 1) ** dimensions})
        raise ValueError(
            f"a grid in {dimensions} searched dimensions has n**{dimensions} points, "
            f"but got (count={count}): {' or '.join(map(str, near))} would do"
        )
    ticks = np.linspace(0, 1, side) if side != 1 else np.array([0.5])
    meshes = np.meshgrid(*[ticks] * dimensions, indexing="ij")
    return np.array([mesh.ravel() for mesh in meshes]).reshape(dimensions, count).T


METHODS = {"halton": halton, "random": uniform, "grid": grid}


def _configuration(
    space: Space,
    combination: Mapping[str, Value],
    names: Sequence[str],
    units: Mapping[str, float],
) -> dict[str, Value]:
    values = dict(combination)
    for name in names:  # a Choice comes before what it opens
        if is_active(name, values):
            values[name] = space.domains[name].value(units[name])
    return space.complete(values)


def _deal(
    space: SubSpace, start: int, stride: int, prefix: str
) -> Iterator[tuple[str, int]]:
    """Deal the coordinates `start`, `start + stride`, ... to the names of a space."""
    entries = space.entries.items()
    sampled = [
        key for key, e in entries if isinstance(e, Domain) and not is_enumerated(e)
    ]
    openers = [key for key, entry in entries if _may_open(entry)]
    for turn, key in enumerate(sampled):
        yield prefix + key, start + turn * stride
    for turn, key in enumerate(openers, len(sampled)):
        for branch, inner in space.entries[key].spaces.items():
            yield from _deal(
                inner,
                start + turn * stride,
                stride * len(openers),
                f"{prefix}{key}.{branch}.",
            )


def _may_open(entry: Any) -> bool:
    if not isinstance(entry, Choice):
        return False
    of_strings = isinstance(entry.values[0], str | None)
    return bool(entry.spaces) or (is_enumerated(entry) and of_strings)
