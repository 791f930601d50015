"""How many examples a batch has, and in how many pieces it is seen.

A batch size is the task's or the space's. In the space it is static, one program a
size, or traced: sizes share a program, which sees micro-batches, and a trial's update
is made when its own batch is full. Sizes are in examples.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuner.study.domains import Choice, Range
from tuner.study.space import Space
from tuner.study.task import Task
from tuner.study.values import whole

Points = Sequence[Mapping[str, Any]]
NAME = "batch_size"


def micro_batch_size(task: Task, space: Space, points: Points) -> int | None:
    """Examples that are seen at a time; None where batches are seen whole."""
    if task.traces_batch_size and task.micro_batch_size is None:
        return math.gcd(*_sizes(task, space, points))
    return task.micro_batch_size


def check_batch_size(task: Task, space: Space, points: Points) -> None:
    """Refuse sizes that are declared twice or never, too large, or do not divide.

    Raises:
        ValueError: with the rule, the values and the remedy.
    """
    declared = NAME in space.domains or NAME in space.fixed
    if declared and task.batch_size is not None:
        raise ValueError(
            "the batch size is the task's or the space's, not both, but got "
            f"batch_size={task.batch_size} in the task and batch_size in the space: "
            "remove one"
        )
    if task.train is None:
        return
    if not declared and task.batch_size is None:
        raise ValueError(
            "a task with training examples needs a batch size: pass batch_size= to "
            "the task, or declare batch_size in the space"
        )
    if task.traces_batch_size and isinstance(space.entries[NAME], Range):
        raise ValueError(
            "batch sizes that share a program are multiples of a micro-batch, but got "
            f"batch_size={space.entries[NAME]!r}: list them, tuner.Choice(32, 64, 128)"
        )
    for size in _sizes(task, space, points):
        if not 1 <= whole(NAME, size) <= len(task.train):
            raise ValueError(
                "`1 <= batch_size <= number of training examples` must hold, but got "
                f"(batch_size={size}, examples={len(task.train)})"
            )
    _check_micro_batches(task, space, points)


def _check_micro_batches(task: Task, space: Space, points: Points) -> None:
    micro = micro_batch_size(task, space, points)
    if micro is None:
        return
    for size in _sizes(task, space, points):
        if whole("micro_batch_size", micro) < 1 or size % micro:
            raise ValueError(
                "`micro_batch_size` must divide every batch size, but got "
                f"(micro_batch_size={micro}, batch_size={size})"
            )
    if not task.takes_parts:
        raise ValueError(
            f"micro-batches need a task with `contribute` and `update`, but "
            f"{type(task).__name__} has a `step` alone: define both, or leave "
            "micro_batch_size out"
        )


def _sizes(task: Task, space: Space, points: Points) -> Iterator[Any]:
    """Every batch size that a trial may have; of a range both ends."""
    declared = space.entries.get(NAME, task.batch_size)
    if isinstance(declared, Choice):
        yield from declared.values
    elif isinstance(declared, Range):
        yield from (declared.low, declared.high)
    else:
        yield declared
    yield from (point[NAME] for point in points if NAME in point)
