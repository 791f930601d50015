"""The types of what a trial's functions are given, to trace them in the abstract."""

import dataclasses
from typing import Any

import jax
import numpy as np

from tuner.lanes.trial import Group


@dataclasses.dataclass(frozen=True, kw_only=True)
class Types:
    """Of one trial's arguments, none with an axis of lanes.

    Attributes:
        data: of the program.
        numbers: that name a trial's randomness.
        traced: hyperparameters, by name.
        rates: of a step, by name.
        number: of a step.
        examples: of a tick, or their places in the data; None without training data.
    """

    data: Any
    numbers: Any
    traced: dict[str, Any]
    rates: dict[str, Any]
    number: Any
    examples: Any


def types_of(group: Group) -> Types:
    """What a group's trials are given."""
    return Types(
        data=jax.eval_shape(lambda tree: tree, group.data),
        numbers=jax.ShapeDtypeStruct((3,), np.uint32),
        traced={name: jax.ShapeDtypeStruct((), d) for name, d in group.traced.items()},
        rates={name: jax.ShapeDtypeStruct((), np.float32) for name in group.scheduled},
        number=jax.ShapeDtypeStruct((), np.int32),
        examples=group.examples_type,
    )
