"""Hand-written: all steps of all trials in one compiled call, on all devices.

The fastest that we could write: a scan over the steps, a vmap over a few lanes,
a loop over chunks of lanes, all devices. One variant returns the parameters and
nothing else; the other also the metrics of every step and an evaluation every 50, which
is what `tuner` records. Neither refills a lane, knows of horizons, or keeps anything.
"""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec

from benchmarks.timing import Measured
from benchmarks.workloads import (
    DECAYS,
    EVAL_EVERY,
    RATES,
    Workload,
    begin,
    load,
    update,
)


def make_fused(
    workload: str, trials: int, steps: int, *, width: int, recording: bool = False
) -> Callable[[], Measured]:
    """The loop, compiled.

    Args:
        workload: its name.
        trials: a multiple of devices x width.
        steps: a multiple of `EVAL_EVERY`.
        width: lanes that are trained together, by a vmap.
        recording: return metrics and evaluations, and bring them to the host.
    """
    declared = load(workload)
    data = jax.device_put((declared.train, declared.valid))
    fused = over_devices(make_trial(declared, steps, recording=recording), width)
    keys = jax.random.split(jax.random.key(0), trials)
    rates, decays = (
        jnp.geomspace(*bounds, trials, dtype=jnp.float32) for bounds in (RATES, DECAYS)
    )

    def run():
        started = time.perf_counter()
        outputs = jax.block_until_ready(fused(keys, rates, decays, data))
        if recording:
            jax.device_get(outputs[1:])
        seconds = time.perf_counter() - started
        return Measured(steps=trials * steps, seconds=seconds, notes={"width": width})

    run()
    return run


def make_trial(
    workload: Workload, steps: int, *, recording: bool
) -> Callable[..., tuple]:
    """All of one trial: `(key, rate, decay, (train, valid)) -> (params, ...)`.

    With `recording`, also the metrics [segments, steps of a segment] by name, and the
    evaluations' loss and error, [segments] each.
    """

    def train(key, rate, decay, data):
        train_data, valid_data = data
        init_key, steps_key = jax.random.split(key)

        def step(carry, step_key):
            *carry, metrics = update(
                workload, *carry, step_key, rate, decay, train_data
            )
            return tuple(carry), metrics if recording else None

        def segment(carry, keys):
            carry, metrics = jax.lax.scan(step, carry, keys)
            if not recording:
                return carry, None
            return carry, (metrics, workload.loss(carry[0], valid_data))

        keys = jax.random.split(steps_key, (steps // EVAL_EVERY, EVAL_EVERY))
        (params, _), outputs = jax.lax.scan(segment, begin(workload, init_key), keys)
        return (params, *outputs) if recording else (params,)

    return train


def over_devices(train: Callable[..., tuple], width: int) -> Callable[..., tuple]:
    """The function over many keys, rates and decays: chunks of lanes on each device."""

    def chunk(lanes, data):
        return jax.vmap(lambda *lane: train(*lane, data))(*lanes)

    def chunks(keys, rates, decays, data):
        lanes = jax.tree.map(
            lambda a: a.reshape(-1, width, *a.shape[1:]), (keys, rates, decays)
        )
        outputs = jax.lax.map(lambda lanes: chunk(lanes, data), lanes)
        return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), outputs)

    devices = (jax.local_device_count(),)
    mesh = jax.make_mesh(devices, ("trials",), axis_types=(AxisType.Auto,))
    lanes, everywhere = PartitionSpec("trials"), PartitionSpec()
    return jax.jit(
        jax.shard_map(
            chunks,
            mesh=mesh,
            in_specs=(lanes, lanes, lanes, everywhere),
            out_specs=lanes,
            check_vma=False,
        )
    )
