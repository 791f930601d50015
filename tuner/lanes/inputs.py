"""What the functions of a program are given beside the lanes and the data, as types.

Their shapes depend on the group and its layout alone, never on how many trials come or
go: so each function is compiled once.
"""

from typing import Any

import jax
import numpy as np

from tuner.lanes.layout import Layout
from tuner.lanes.state import Trained
from tuner.lanes.trial import Group


def inputs_of(group: Group, layout: Layout, trained: Trained) -> dict[str, Any]:
    """The types of each function's inputs, lanes or devices in front.

    Args:
        group: the program's.
        layout: of its lanes.
        trained: the types of what training makes of one trial.
    """
    lanes, restored = layout.lanes, layout.devices * layout.width
    stacked = jax.tree.map(lambda a: _array(a.dtype, restored, *a.shape), trained)
    return {
        "advance": _of_advance(group, layout),
        "load": _of_load(group, layout),
        "restore": {"lane": _array(np.int32, restored), "trained": stacked},
        "take": _array(np.int32, lanes),  # trials of one horizon end together
        "keep": _array(np.int32, lanes),
    }


def _of_advance(group: Group, layout: Layout) -> dict[str, Any]:
    lanes, ticks = layout.lanes, group.call_ticks
    names = ["step", "epoch", "offset"]
    names += ["micro", "micros"] if group.accumulates else []
    inputs = {
        "rates": {n: _array(np.float32, lanes, ticks) for n in group.scheduled},
        "live_chunks": _array(np.int32, layout.devices),
        **{name: _array(np.int32, lanes) for name in names},
    }
    if group.is_fed:
        inputs["batches"] = jax.tree.map(
            lambda a: _array(a.dtype, lanes, ticks, *a.shape), group.batch_type
        )
    if group.has_due:
        inputs["due"] = _array(np.bool_, lanes)
    return inputs


def _of_load(group: Group, layout: Layout) -> dict[str, Any]:
    devices, lanes = layout.devices, layout.lanes
    traced = group.traced.items()
    return {
        **{name: _array(np.int32, devices) for name in ("num_moves", "num_new")},
        **{n: _array(np.int32, lanes) for n in ("move_from", "move_to", "new_lane")},
        "numbers": _array(np.uint32, lanes, 3),
        "hyperparams": {name: _array(dtype, lanes) for name, dtype in traced},
    }


def _array(dtype: Any, *shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)
