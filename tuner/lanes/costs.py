"""What a step of one trial computes, in FLOPs, as XLA counts them.

XLA counts the body of a loop once, however often it runs: the cost of a whole segment
would be that of one step, and a step that scans over layers that of one layer. So a
step is counted by itself, and the loops in it are counted by their lengths. A product
of matrices [m, k] and [k, n] is 2 m k n FLOPs; an elementwise operation is one each.

What XLA cannot see into, a kernel of one's own, counts as nothing. The body of a loop
whose length is not known before it runs counts once.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.extend.core import Jaxpr, jaxpr_as_fun

from tuner.lanes.abstract import types_of
from tuner.lanes.jaxprs import Closed, inside
from tuner.lanes.state import KEYS, LaneState, as_keys
from tuner.lanes.trial import Group, contribute, evaluate, step, step_key, update


@dataclasses.dataclass(frozen=True, kw_only=True)
class Costs:
    """FLOPs of one trial.

    Attributes:
        tick: of a step; where batches are seen in micro-batches, of a part of one.
        update: of what is done when the last part is there, else 0.
        evaluation: of all evaluation sets, once.
    """

    tick: float
    update: float
    evaluation: float


def costs(group: Group, like: Any, lane: LaneState) -> Costs:
    """What the trials of a group cost; nothing is compiled.

    Args:
        group: what they share.
        like: the types of the task's state, keys as keys.
        lane: the types of a lane.
    """
    group = dataclasses.replace(group, parts=1)  # together the parts do what one does
    given = types_of(group)
    data, rates, number = given.data, given.rates, given.number

    def state_and_key(lane):
        state = as_keys(like, lane.trained.state)
        return state, jax.random.wrap_key_data(lane.key, impl=KEYS)

    def whole_step(data, lane, rates, number, examples):
        state, key = state_and_key(lane)
        return step(group, data, key, lane, state, (number, rates, examples))

    def part(data, lane, rates, number, examples):
        state, key = state_and_key(lane)
        key = step_key(key, number)
        return contribute(group, data, key, lane, state, rates, examples)

    def last(data, lane, rates):
        mean = lane.trained.pending.total
        return update(group, data, lane, state_and_key(lane)[0], mean, rates)

    def judge(data, lane):
        return evaluate(group, data, lane, state_and_key(lane)[0])

    tick = part if group.accumulates else whole_step
    return Costs(
        tick=flops(tick, data, lane, rates, number, given.examples),
        update=flops(last, data, lane, rates) if group.accumulates else 0.0,
        evaluation=flops(judge, data, lane),
    )


def flops(function: Callable, *types: Any) -> float:
    """FLOPs of a call with arguments of these types, its loops by their lengths.

    Examples:
        >>> import jax, jax.numpy as jnp
        >>> layers = lambda x: jax.lax.scan(lambda x, w: (x @ w, None), x, weights)[0]
        >>> weights = jnp.ones((10, 64, 64))
        >>> flops(layers, jnp.ones((32, 64))) // (2 * 32 * 64 * 64)
        10.0
    """
    return _flops(jax.jit(function).trace(*types).jaxpr)


def _flops(closed: Closed) -> float:
    """As XLA counts, and then the passes of each loop that it has left out."""
    total = _loops_once(closed)
    for length, body in _loops(closed.jaxpr):
        total += length * _flops(body) - _loops_once(body)
    return total


def _loops_once(closed: Closed) -> float:
    types = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in closed.in_avals]
    lowered = jax.jit(jaxpr_as_fun(closed)).lower(*types)
    return (lowered.cost_analysis() or {}).get("flops", 0.0)


def _loops(jaxpr: Jaxpr) -> Iterator[tuple[int, Closed]]:
    """The outermost loops of known length, wherever they are called from."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation.params["length"], equation.params["jaxpr"]
        elif equation.primitive.name != "pallas_call":  # its body is no XLA program
            for called in inside(equation):
                yield from _loops(called)
