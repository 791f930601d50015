"""Widths that were measured before, kept on disk for each program and kind of device.

They are only worth time: a file that is gone or damaged costs a measurement.
"""

import contextlib
import json
import os
from pathlib import Path

import jax

NAME = "layouts.json"
VARIABLE = "TUNER_CACHE_DIR"


def cache_folder() -> Path:
    """Where this user's measurements lie: $TUNER_CACHE_DIR, else by XDG's rule."""
    if folder := os.environ.get(VARIABLE):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "tuner")


def recall(fingerprint: str) -> int | None:
    """The width that was fastest for a program on these devices, if it is known."""
    return _read().get(_key(fingerprint))


def remember(fingerprint: str, width: int) -> None:
    """Keep what was fastest; where nothing can be written, nothing is kept."""
    folder = cache_folder()
    text = json.dumps(_read() | {_key(fingerprint): width}, indent=1)
    draft = folder / f"{NAME}.{os.getpid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(text)
        draft.replace(folder / NAME)
        return
    with contextlib.suppress(OSError):
        draft.unlink()


def _read() -> dict[str, int]:
    try:
        known = json.loads((cache_folder() / NAME).read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {key: w for key, w in known.items() if isinstance(w, int) and w > 0}


def _key(fingerprint: str) -> str:
    """A program on a kind of device under a version of JAX."""
    device = jax.local_devices()[0].device_kind
    return f"{fingerprint} {jax.local_device_count()} x {device}, jax {jax.__version__}"
