"""A profile of a run: what the host and the devices do in a few calls of the programs.

The first calls are left out, since they warm caches up, and nearly all of the others,
since a trace grows by megabytes a second.
"""

from collections.abc import Callable
from pathlib import Path

import jax

WARM_UP, CALLS = 5, 12


class Profile:
    """Writes a trace of JAX's profiler, once; to be closed when training ends.

    Args:
        directory: where to; nothing is written if None.
        note: told where the trace lies.
    """

    def __init__(self, directory: Path | None, note: Callable[[str], None]) -> None:
        self._directory, self._note = directory, note
        self._calls = 0
        self._is_over = directory is None

    def called(self) -> None:
        """A call of a program was read."""
        if self._is_over:
            return
        self._calls += 1
        if self._calls == WARM_UP:
            options = jax.profiler.ProfileOptions()
            options.python_tracer_level = 0  # each function of Python: slow, and large
            jax.profiler.start_trace(str(self._directory), profiler_options=options)
        elif self._calls == WARM_UP + CALLS:
            self._finish()

    def close(self) -> None:
        """Training is over, whether or not there were calls enough."""
        if self._is_over:
            return
        if self._calls >= WARM_UP:
            self._finish()
        else:
            self._is_over = True
            self._note(
                f"nothing was profiled: that begins after {WARM_UP} calls of a "
                f"program, but there were {self._calls}"
            )

    def _finish(self) -> None:
        self._is_over = True
        jax.profiler.stop_trace()
        assert self._directory is not None
        traces = sorted(self._directory.rglob("*.trace.json.gz"))
        trace = traces[-1] if traces else self._directory
        self._note(
            f"profile of {self._calls - WARM_UP} calls: open {trace} at "
            f"https://ui.perfetto.dev, or see it by `xprof {self._directory}` or "
            "TensorBoard with its profile plugin"
        )
