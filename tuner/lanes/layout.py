"""How lanes are laid on devices: devices x chunks x width.

Each device advances `chunks` chunks one after another, the `width` lanes of a chunk
together (a vmap). Where a trial is too large for one device, `parts` devices share its
batches: devices x chunks x width x parts. All but the number of chunks belongs to what
decides a trial's bits.
"""

import dataclasses
import os
import re

import jax

WIDTH = {"cpu": 4}  # lanes of a chunk: what fits a core's caches; else WIDE
WIDE = 128
MOST_LANES = {"cpu": 32}  # of a device, in chunks; else one chunk


@dataclasses.dataclass(frozen=True)
class Layout:
    """Devices x chunks x width, written "2x8x4", or with parts "2x8x4x2".

    Attributes:
        devices: that have lanes of their own.
        chunks: of a device, trained one after another.
        width: lanes of a chunk, trained together.
        parts: devices in place of each, which split its batches.

    Raises:
        ValueError: where a number is below one.
    """

    devices: int
    chunks: int
    width: int
    parts: int = 1

    def __post_init__(self) -> None:
        if min(self.devices, self.chunks, self.width, self.parts) < 1:
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
        numbers = [self.devices, self.chunks, self.width, self.parts]
        return "x".join(map(str, numbers if self.parts > 1 else numbers[:3]))

    @classmethod
    def parse(cls, text: str) -> "Layout":
        """Read "2x8x4"."""
        if not re.fullmatch(r"\d+(x\d+){2,3}", text.strip()):
            raise ValueError(
                'a layout is written devices x chunks x width, "2x8x4", or with the '
                f'devices that split a batch, "2x8x4x2", but got {text!r}'
            )
        return cls(*map(int, text.split("x")))


def choose(
    num_trials: int, width: int | None = None, *, convolves: bool = False
) -> Layout:
    """A layout for so many trials on the local devices.

    Args:
        num_trials: of a group.
        width: of a chunk; by a rule if None.
        convolves: whether there are convolutions, which a CPU does faster one lane at a
            time.
    """
    devices = jax.local_device_count()
    platform = jax.default_backend()
    per_device = -(-num_trials // devices)
    if width is None:
        wide = min(WIDE, 1 << max(per_device - 1, 0).bit_length())
        width = 1 if convolves and platform == "cpu" else WIDTH.get(platform, wide)
    most = max(MOST_LANES.get(platform, 0) // width, 1)
    return Layout(devices, min(most, -(-per_device // width)), width)


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
    there, needed = jax.local_device_count(), layout.devices * layout.parts
    if needed > there:
        raise ValueError(
            f"the layout {layout} needs {needed} devices, but JAX sees {there}; on CPU "
            f"set JAX_NUM_CPU_DEVICES={needed} before starting"
        )
