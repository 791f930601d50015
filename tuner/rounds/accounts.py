"""What a run has cost so far, over all its sessions: the figures in the ledger."""

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from tuner.lanes.compilations import compilations
from tuner.lanes.engine import Engine

RECENT = 20  # calls that the present speed is taken from


class Accounts:
    """Counts added up from session to session; one for each start of the command."""

    def __init__(self, before: Mapping[str, Any]) -> None:
        self._before = before
        self._started = time.monotonic()
        self._compiled = compilations()
        self._engines: list[Engine] = []
        self._trial_steps = 0
        self._recent = deque([(self._started, 0)], maxlen=RECENT)

    def watch(self, engine: Engine) -> bool:
        """Count what an engine does from now on; says whether it is a new one.

        The present speed knows nothing of what was before.
        """
        self._recent.clear()
        self._recent.append((time.monotonic(), self._trial_steps))
        if engine in self._engines:
            return False
        self._engines.append(engine)
        return True

    def add(self, trial_steps: int) -> None:
        """Updates that were recorded."""
        self._trial_steps += trial_steps
        self._recent.append((time.monotonic(), self._trial_steps))

    @property
    def trial_steps_per_second(self) -> float:
        """The present speed."""
        (then, before), (now, after) = self._recent[0], self._recent[-1]
        return (after - before) / (now - then) if now > then else 0.0

    def figures(self) -> dict[str, Any]:
        """All counts as they stand; times in seconds."""
        session = {
            "sessions": 1,
            "seconds": time.monotonic() - self._started,
            "trial_steps": self._trial_steps,
            "programs": len(self._engines),
            "compilations": compilations() - self._compiled,
            "compile_seconds": sum(e.program.compile_seconds for e in self._engines),
            "trainings_traced": sum(e.program.traces["advance"] for e in self._engines),
            "segments": sum(e.lane_calls for e in self._engines),
            "segments_computed": sum(e.slot_calls for e in self._engines),
        }
        return {name: self._before.get(name, 0) + v for name, v in session.items()}
