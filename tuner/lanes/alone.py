"""One trial without lanes: a plain Python loop over its steps, to look into a task.

The numbers are those of the lanes, to rounding: the same functions at the same keys,
batches and rates. Eagerly every line of the task runs as Python, so that a debugger
stops in it and a print prints numbers.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tuner.lanes.feed import Piece, read
from tuner.lanes.job import Job
from tuner.lanes.order import batch_indices
from tuner.lanes.state import LaneState
from tuner.lanes.trial import (
    DATA,
    Group,
    contribute,
    evaluate,
    initial_state,
    step,
    step_key,
    trial_key,
    update,
)

Numbers = dict[str, float]


def train_alone(
    group: Group, job: Job, *, steps: int, eager: bool = False
) -> Iterator[tuple[int, Numbers, Numbers | None]]:
    """Train a trial from its beginning.

    Args:
        group: what it shares with others.
        job: the trial.
        steps: how many of its steps to make.
        eager: without `jax.jit`.

    Yields:
        The step, its metrics, and the evaluation, where the lanes would make one and
        after the last step, else None.
    """
    begin, make, judge = (
        _called(functools.partial(function, group), eager)
        for function in (initial_state, _step, evaluate)
    )
    data = jax.tree.map(jnp.asarray, group.data)
    traced = {n: jnp.asarray(job.hyperparams[n], d) for n, d in group.traced.items()}
    numbers = jnp.asarray(np.array(job.numbers, np.uint32))
    key = trial_key(data, numbers)
    nothing: Any = None  # what training makes is carried beside the lane
    lane = LaneState(jax.random.key_data(key), traced, nothing)
    state = begin(data, numbers, traced)
    examples = _examples(group, job, key)
    for number in range(1, steps + 1):
        rates = {name: jnp.asarray(r[number - 1]) for name, r in job.rates.items()}
        item = (jnp.int32(number), rates, examples(number))
        state, metrics = make(data, key, lane, state, item)
        due = number % group.segment_steps == 0 or number == steps
        evaluation = _numbers(judge(data, lane, state)) if due else None
        yield number, _numbers(metrics), evaluation


def _step(group, data, key, lane, state, item):
    """A step, from its micro-batches where it has such."""
    if not group.accumulates:
        return step(group, data, key, lane, state, item)
    number, rates, parts = item
    contributions = [
        contribute(
            group,
            data,
            jax.random.fold_in(step_key(key, number), micro),
            lane,
            state,
            rates,
            index,
        )
        for micro, index in enumerate(parts)
    ]
    mean = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *contributions)
    return update(group, data, lane, state, mean, rates)


def _called(function: Callable[..., Any], eager: bool) -> Callable[..., Any]:
    jitted = jax.jit(function)

    def call(*arguments: Any) -> Any:
        with jax.disable_jit(eager):
            return jitted(*arguments)

    return call


def _examples(group: Group, job: Job, key: jax.Array) -> Callable[[int], Any]:
    """What gives the examples of each update, or their places in the data.

    Of a task that accumulates, those of each micro-batch.
    """
    if group.task.train is None:
        return lambda number: None
    sizes = {"batch_size": group.tick_examples, "num_examples": len(group.task.train)}
    draw = jax.jit(functools.partial(batch_indices, steps=job.micros, **sizes))
    data_key = jax.random.fold_in(key, DATA)

    def examples(number: int) -> Any:
        first = (number - 1) * job.micros
        if group.is_fed:
            parts = read(group, Piece(job.numbers, first, job.micros))
        else:
            epoch, offset = group.epoch_and_offset(first)
            parts = draw(data_key, jnp.int32(epoch), jnp.int32(offset))
        each = [
            jax.tree.map(lambda a, at=micro: jnp.asarray(a[at]), parts)
            for micro in range(job.micros)
        ]
        return each if group.accumulates else each[0]

    return examples


def _numbers(metrics: Mapping[str, jax.Array]) -> Numbers:
    return {name: float(value) for name, value in metrics.items()}
