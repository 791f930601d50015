"""How lanes are laid on devices: devices x chunks x width.

Each device advances `chunks` chunks one after another, the `width` lanes of a chunk
together (a vmap). The width and the devices belong to what decides a trial's bits; the
number of chunks does not.
"""

import dataclasses
import os
import re

import jax

WIDTH = {"cpu": 4}  # lanes of a chunk: what fits a core's caches; else WIDE
WIDE = 128
MOST_CHUNKS = {"cpu": 8}  # else one


@dataclasses.dataclass(frozen=True)
class Layout:
    """Devices x chunks x width, written "2x8x4".

    Raises:
        ValueError: where a number is below one.
    """

    devices: int
    chunks: int
    width: int

    def __post_init__(self) -> None:
        if min(self.devices, self.chunks, self.width) < 1:
            raise ValueError(f"a layout's numbers must be at least 1, but got {self}")

    @property
    def lanes(self) -> int:
        """Trials that train at once."""
        return self.devices * self.lanes_per_device

    @property
    def lanes_per_device(self) -> int:
        """Lanes of one device."""
        return self.chunks * self.width

    def __str__(self) -> str:
        """The text that `parse` reads."""
        return f"{self.devices}x{self.chunks}x{self.width}"

    @classmethod
    def parse(cls, text: str) -> "Layout":
        """Read "2x8x4"."""
        match = re.fullmatch(r"(\d+)x(\d+)x(\d+)", text.strip())
        if match is None:
            raise ValueError(
                'a layout is written devices x chunks x width, "2x8x4", '
                f"but got {text!r}"
            )
        return cls(*map(int, match.groups()))


def choose(num_trials: int) -> Layout:
    """A layout for so many trials on the local devices, by a rule."""
    devices = jax.local_device_count()
    platform = jax.default_backend()
    per_device = -(-num_trials // devices)
    width = WIDTH.get(platform, min(WIDE, 1 << max(per_device - 1, 0).bit_length()))
    chunks = min(MOST_CHUNKS.get(platform, 1), -(-per_device // width))
    return Layout(devices, chunks, width)


def num_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def idle_cores() -> str:
    """A line about CPU cores that no device of JAX uses; empty where there are none."""
    devices, cores = jax.local_device_count(), num_cores()
    if jax.default_backend() != "cpu" or devices >= cores:
        return ""
    return (
        f"JAX has {devices} CPU device{'s'[: devices != 1]} for {cores} cores: "
        f'jax.config.update("jax_num_cpu_devices", {cores}) before its first use, or '
        "`tuner run`, trains on all of them"
    )


def check(layout: Layout) -> None:
    """Refuse a layout for devices that are not there."""
    there = jax.local_device_count()
    if layout.devices > there:
        raise ValueError(
            f"the layout {layout} needs {layout.devices} devices, but JAX sees "
            f"{there}; on CPU set JAX_NUM_CPU_DEVICES={layout.devices} before starting"
        )
