"""What a task promises, found by tracing it in the abstract: nothing is compiled.

A mistake in a user's function is answered here with the rule and the remedy, before
any time is spent.
"""

import dataclasses
import functools
import hashlib
import math
import re
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tuner.lanes import convolutions
from tuner.lanes.abstract import types_of
from tuner.lanes.lowering import primitives
from tuner.lanes.peak import peak_bytes
from tuner.lanes.state import KEYS, flatten, num_bytes
from tuner.lanes.trial import (
    Group,
    begin,
    contribute,
    evaluate,
    initial_state,
    step,
    update,
)
from tuner.study.blame import blaming
from tuner.study.names import nearest_first

NARROW = (  # the remedy of what traced numbers do to narrower ones
    "hyperparameters and rates are float32, and what they touch of 16-bit parameters "
    "becomes so: keep the parameters float32 and cast them in loss, or let the "
    'optimizer work in float32 (both are shown in docs/tasks.md, "Mixed precision")'
)


@dataclasses.dataclass(frozen=True)
class Signature:
    """What a group's trials record, and how large they are.

    Attributes:
        train: names of the metrics of a step.
        valid: full names of the metrics of an evaluation.
        parameters: numbers in what is kept of the best step.
        lane_bytes: what a lane carries, in bytes.
        fingerprint: of what a lane computes; the same in every process.
        working_bytes: what a step or an evaluation makes at once, an upper estimate.
        convolves: whether a step has convolutions.
    """

    train: tuple[str, ...]
    valid: tuple[str, ...]
    parameters: int
    lane_bytes: int
    fingerprint: str
    working_bytes: int
    convolves: bool = False


def check(group: Group, example: Mapping[str, Any]) -> Signature:
    """Trace one trial of a group, and say what it records.

    Args:
        group: the trials' program.
        example: values of the traced hyperparameters, of any trial.

    Raises:
        TypeError: where a traced value is used as a shape or in an `if`, where a state
            changes its types, or a metric is no scalar.
        ValueError: where the objective is no metric of the evaluation, or there is no
            loss.
    """
    statics = ", ".join(f"{name}={value!r}" for name, value in group.static.items())
    trials = f"the trials with {statics}" if statics else "all trials"
    with blaming(f"Traced for {trials}"):
        return _checked(group, example)


def _checked(group: Group, example: Mapping[str, Any]) -> Signature:
    try:
        return _trace(group)
    except _WidenedError:
        raise
    except TypeError as error:
        if guilty := _guilty(group, example):
            raise TypeError(_static_message(guilty, error)) from error
        if _traces(group, {name: example[name] for name in group.traced}):
            raise TypeError(f"{error}; {NARROW}") from error
        raise


def _trace(group: Group) -> Signature:
    given = types_of(group)
    beginning = given.data, given.numbers, given.traced
    state = jax.eval_shape(functools.partial(initial_state, group), *beginning)
    lane = jax.eval_shape(functools.partial(begin, group), *beginning)
    key = jax.eval_shape(lambda: jax.random.key(0, impl=KEYS))
    make = functools.partial(_parted_step if group.accumulates else step, group)
    item = given.number, given.rates, given.examples
    training, (after, train) = jax.make_jaxpr(make, return_shape=True)(
        given.data, key, lane, state, item
    )
    judging, valid = jax.make_jaxpr(
        functools.partial(evaluate, group), return_shape=True
    )(given.data, lane, state)
    _check_loss(train)
    _check_objective(group.objective.metric, valid)
    _check_carried(state, after)
    numbers = [leaf for leaf in jax.tree.leaves(lane.trained.best) if _is_float(leaf)]
    return Signature(
        train=tuple(train),
        valid=tuple(valid),
        parameters=sum(math.prod(leaf.shape) for leaf in numbers),
        lane_bytes=num_bytes(lane),
        fingerprint=_fingerprint(f"{training}\n{judging}\n{group.segment_steps}"),
        working_bytes=max(peak_bytes(training), peak_bytes(judging)),
        convolves=convolutions.PRIMITIVE in primitives(training.jaxpr),
    )


def _fingerprint(text: str) -> str:
    return hashlib.sha256(without_addresses(text).encode()).hexdigest()


def without_addresses(text: str) -> str:
    """A program's text, in which functions of Python are named by their addresses."""
    return re.sub(r"0x[0-9a-f]+", "", text)


def _parted_step(group, data, key, lane, state, item):
    """A step of one part: what micro-batches do, without their adding up."""
    _, rates, examples = item
    mean = contribute(group, data, key, lane, state, rates, examples)
    return update(group, data, lane, state, mean, rates)


class _WidenedError(TypeError):
    """A state of 16 bits that is of 32 after a step; no hyperparameter is guilty."""


def _check_loss(metrics: Mapping[str, Any]) -> None:
    if "loss" not in metrics:
        raise ValueError(
            "a step's metrics must hold `loss`, which tells a broken trial, but got "
            f"{', '.join(metrics) or 'none'}: return it with them"
        )


def _check_objective(objective: str, metrics: Mapping[str, Any]) -> None:
    if objective not in metrics:
        known = ", ".join(nearest_first(objective, metrics)) or "none"
        raise ValueError(
            "the objective must be a metric that an evaluation returns, but got "
            f"{objective!r}; there are: {known}"
        )


def _check_carried(before: Any, after: Any) -> None:
    """A lane is a fixed piece of memory: a step may not change what it is made of."""
    old, new = flatten({"state": before}), flatten({"state": after})
    if len(old) != len(jax.tree.leaves(before)):
        raise ValueError(
            "the leaves of a state must have different dotted paths, but two of "
            f"{', '.join(sorted(old)[:8])} have the same: rename a key with a dot in it"
        )
    if list(old) != list(new):
        raise TypeError(
            "a step must carry on the state that init makes, but the structures "
            f"differ at {', '.join(sorted(set(old) ^ set(new))[:5])}: return all of "
            "it, and nothing else"
        )
    for path, leaf in old.items():
        then = new[path]
        if leaf.shape != then.shape or leaf.dtype != then.dtype:
            narrow = _is_float(leaf) and leaf.dtype.itemsize < 4
            widened = narrow and leaf.shape == then.shape and then.dtype == np.float32
            remedy = NARROW if widened else "return it as it came, by .astype, .reshape"
            raise (_WidenedError if widened else TypeError)(
                f"a step must carry on the state that init makes, but {path} is "
                f"{leaf.dtype}{list(leaf.shape)} after init and "
                f"{then.dtype}{list(then.shape)} after a step: {remedy}"
            )


def _guilty(group: Group, example: Mapping[str, Any]) -> list[str]:
    """The traced hyperparameters without which, as known numbers, it does trace.

    The numbers have the traced ones' types: where those are what is wrong, as beside
    parameters of 16 bits, no hyperparameter is guilty.
    """
    known = {name: dtype(example[name]) for name, dtype in group.traced.items()}
    if not _traces(group, known):
        return []
    for name in group.traced:
        fewer = {other: value for other, value in known.items() if other != name}
        if _traces(group, fewer):
            known = fewer
    return list(known)


def _traces(group: Group, known: Mapping[str, Any]) -> bool:
    """Whether the group can be traced where some hyperparameters are known."""
    traced = {name: d for name, d in group.traced.items() if name not in known}
    static = {**group.static, **known}
    try:
        _trace(dataclasses.replace(group, static=static, traced=traced))
    except TypeError:
        return False
    return True


def _static_message(guilty: Sequence[str], error: TypeError) -> str:
    one = len(guilty) == 1
    message = (
        f"{' and '.join(guilty)} must be declared static=True: "
        f"{'it is' if one else 'they are'} used as a shape or in an `if`, but a traced "
        "hyperparameter is one number a lane (static: one program a value)"
    )
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if any("flax" in name and "stochastic" in name for name in files):
        message += (
            "; for a dropout rate use tuner.flax.Dropout (Linen: tuner.flax.dropout), "
            "which takes it traced"
        )
    return message


def _is_float(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)
