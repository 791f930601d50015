"""What was measured before, kept on disk for each kind of device.

It is only worth time: a file that is gone or damaged costs a measurement.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import jax

LAYOUTS, SPEEDS = "layouts.json", "speeds.json"
VARIABLE = "TUNER_CACHE_DIR"


def cache_folder() -> Path:
    """Where this user's measurements lie: $TUNER_CACHE_DIR, else by XDG's rule."""
    if folder := os.environ.get(VARIABLE):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "tuner")


def recall(fingerprint: str) -> int | None:
    """The width that was fastest for a program on these devices, if it is known."""
    width = read(LAYOUTS, _key(fingerprint))
    return width if isinstance(width, int) else None


def remember(fingerprint: str, width: int) -> None:
    """Keep what was fastest."""
    write(LAYOUTS, _key(fingerprint), width)


def recall_speed(fingerprint: str) -> float | None:
    """The ticks a second of a program at a glance, if there was one."""
    return read(SPEEDS, _key(fingerprint))


def remember_speed(fingerprint: str, ticks_per_second: float) -> None:
    """Keep what a glance has shown."""
    write(SPEEDS, _key(fingerprint), ticks_per_second)


def read(name: str, key: str) -> int | float | None:
    """A number that a file has; None where it has none above 0."""
    value = _read(name).get(key)
    return value if isinstance(value, int | float) and value > 0 else None


def write(name: str, key: str, value: int | float) -> None:
    """Keep a number in a file; where nothing can be written, nothing is kept."""
    folder = cache_folder()
    text = json.dumps(_read(name) | {key: value}, indent=1)
    draft = folder / f"{name}.{os.getpid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(text)
        draft.replace(folder / name)
        return
    with contextlib.suppress(OSError):
        draft.unlink()


def _read(name: str) -> dict[str, Any]:
    try:
        known = json.loads((cache_folder() / name).read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _key(fingerprint: str) -> str:
    """A program on a kind of device under a version of JAX."""
    device = jax.local_devices()[0].device_kind
    return f"{fingerprint} {jax.local_device_count()} x {device}, jax {jax.__version__}"
