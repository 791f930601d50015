"""When to commit: often enough that a crash costs little, seldom enough to cost little.

The next commit is due after max(1 s, 1 % of the time so far up to 60 s, 20 x what the
last one cost). None is due that would take longer than what is left to train: the last
one, at its end, would wait for it.
"""

import math
import time
from collections.abc import Callable


class Cadence:
    """Says when a commit is due; seconds of a clock that never goes back."""

    def __init__(self, clock=time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._next = self._started  # the first is due at once
        self._cost = 0.0

    def due(self, seconds_left: Callable[[], float] = lambda: math.inf) -> bool:
        """Whether the time has come.

        Args:
            seconds_left: until there will be a commit anyway.
        """
        return self._clock() >= self._next and seconds_left() > self._cost

    def committed(self, cost_seconds: float) -> None:
        """Set the time of the next from what this one cost."""
        now, self._cost = self._clock(), cost_seconds
        elapsed = now - self._started
        self._next = now + max(1.0, min(0.01 * elapsed, 60.0), 20 * cost_seconds)
