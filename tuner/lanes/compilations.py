"""How often this process has had XLA compile anything, and what for.

A program that JAX's persistent cache had kept still counts as a compilation: it is one
that took milliseconds. What is compiled to measure with, not to train with, is counted
apart, under `calibrating`.
"""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator

import jax


@dataclasses.dataclass(frozen=True)
class Compilations:
    """Counts since this module was imported.

    Attributes:
        training: of anything but calibration.
        from_cache: those among them that JAX's persistent cache has served.
        calibration: while something was calibrated.
        calibration_seconds: that calibration took, compiling included.
    """

    training: int = 0
    from_cache: int = 0
    calibration: int = 0
    calibration_seconds: float = 0.0

    def __add__(self, other: "Compilations") -> "Compilations":
        return self._combined(other, 1)

    def __sub__(self, other: "Compilations") -> "Compilations":
        return self._combined(other, -1)

    def _combined(self, other: "Compilations", sign: int) -> "Compilations":
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Compilations(*(a + sign * b for a, b in pairs))


def compilations() -> int:
    """All compilations so far, of whatever part."""
    return _counts.training + _counts.calibration


def counted() -> Compilations:
    """The counts so far; the difference of two is what happened in between."""
    return _counts


@contextlib.contextmanager
def calibrating() -> Iterator[None]:
    """Count what compiles meanwhile, in any thread, as calibration."""
    global _calibrations
    started = time.perf_counter()
    with _lock:
        _calibrations += 1
    try:
        yield
    finally:
        with _lock:
            _calibrations -= 1
        seconds = time.perf_counter() - started
        _count(Compilations(calibration_seconds=seconds))


_counts = Compilations()
_calibrations = 0  # that are going on
_lock = threading.Lock()  # programs compile side by side in threads


def _count(more: Compilations) -> None:
    global _counts
    with _lock:
        _counts += more


def _compiled(event: str, duration_secs: float, **_: object) -> None:
    if "backend_compile" in event:
        apart = bool(_calibrations)
        _count(Compilations(training=not apart, calibration=apart))


def _served(event: str, **_: object) -> None:
    if event == "/jax/compilation_cache/cache_hits" and not _calibrations:
        _count(Compilations(from_cache=1))


jax.monitoring.register_event_duration_secs_listener(_compiled)
jax.monitoring.register_event_listener(_served)
