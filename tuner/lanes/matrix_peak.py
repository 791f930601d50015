"""What the devices can do at most: products of float32 matrices, in FLOPs a second.

Measured once for each kind of device and remembered, since no table has all of them.
It is the peak of what JAX makes of `a @ b` in its default precision, all local devices
at once; on CPU these share the cores.
"""

import os
import time

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tuner.lanes import remembered
from tuner.lanes.compilations import calibrating
from tuner.lanes.machine import cpu_kind

SIZE = {"cpu": 768}  # of the matrices; some 10 ms of one core
LARGE = 4096  # a few ms of a GPU, and 128 MB of its memory
SECONDS = 0.15  # of measuring
NAME = "peaks.json"


def peak_flops_per_second() -> float:
    """Of all local devices together; measured where nothing is remembered."""
    kind = _kind()
    peak = remembered.read(NAME, kind)
    if peak is None:
        with calibrating():
            peak = measure()
        remembered.write(NAME, kind, peak)
    return peak


def measure() -> float:
    """The best of as many products as fit into the time, after a first one."""
    devices = jax.local_devices()
    mesh = Mesh(np.array(devices), ("devices",))
    sharding = NamedSharding(mesh, PartitionSpec("devices"))
    size = SIZE.get(devices[0].platform, LARGE)
    ones = np.ones((len(devices), size, size), np.float32)
    matrices = jax.device_put(ones, sharding)
    product = jax.jit(jax.vmap(lambda a: a @ a), out_shardings=sharding)
    product(matrices).block_until_ready()
    best = float("inf")
    ends = time.perf_counter() + SECONDS
    while (started := time.perf_counter()) < ends:
        product(matrices).block_until_ready()
        best = min(best, time.perf_counter() - started)
    return len(devices) * 2 * size**3 / best


def _kind() -> str:
    device = jax.local_devices()[0]
    cpu = f" {cpu_kind()} {os.cpu_count()} cores" if device.platform == "cpu" else ""
    return f"{jax.local_device_count()} x {device.device_kind}{cpu}"
