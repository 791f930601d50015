"""What a run has cost so far, over all its sessions: the figures in the ledger.

Sums are kept, and rates are formed of them anew: they are right over all sessions,
whatever devices each had.
"""

import collections
import time
from collections.abc import Mapping
from typing import Any

import jaxtyping as jt
import numpy as np

from tuner.lanes.compilations import Compilations, counted
from tuner.lanes.engine import Engine
from tuner.lanes.flight import Called
from tuner.lanes.matrix_peak import peak_flops_per_second

RECENT = 20  # calls that the present speed is taken from


class Accounts:
    """Counts added up from session to session; one for each start of the command.

    Args:
        before: the figures of the sessions before.
        compiled: the process's counts when this session began; now, if not given.
    """

    def __init__(
        self, before: Mapping[str, Any], compiled: Compilations | None = None
    ) -> None:
        self._before = before
        self._started = self._trained_until = time.monotonic()
        self._compiled = compiled or counted()
        self._groups: dict[Engine, _Group] = {}
        self._trial_steps = self._examples = 0
        self._train_seconds = self._peak = 0.0
        self._recent = collections.deque([(self._started, 0)], maxlen=RECENT)

    def watch(self, name: str, engine: Engine) -> bool:
        """Count what an engine does from now on; says whether it is a new one.

        The present speed knows nothing of what was before.
        """
        if not self._groups:
            self._peak = peak_flops_per_second()
        is_new = engine not in self._groups
        if is_new:
            self._groups[engine] = _Group(name, engine)
        self._trained_until = time.monotonic()
        self._recent.clear()
        self._recent.append((self._trained_until, self._trial_steps))
        return is_new

    def add(
        self, engine: Engine, called: Called, examples: jt.Int[np.ndarray, " trials"]
    ) -> None:
        """What a call of an engine's program brought; `examples` are of a step."""
        now = time.monotonic()
        self._train_seconds += now - self._trained_until
        self._trained_until = now
        self._trial_steps += int(called.good.sum())
        self._examples += int((called.good * examples).sum())
        self._groups[engine].add(called)
        self._recent.append((now, self._trial_steps))

    def go_back(self, figures: Mapping[str, Any]) -> None:
        """To what was committed: what came after it is trained once more.

        The session stays one, and no second of it is forgotten.

        Args:
            figures: the ledger's.
        """
        now = time.monotonic()
        spent = self._before.get("seconds", 0) + now - self._started
        self._before = {**figures, "sessions": self._before.get("sessions", 0)}
        self._started = now - (spent - figures.get("seconds", 0))
        self._compiled = counted()
        self._groups = {}
        self._trial_steps = self._examples = 0
        self._train_seconds, self._trained_until = 0.0, now
        self._recent.clear()
        self._recent.append((now, 0))

    @property
    def trial_steps_per_second(self) -> float:
        """The present speed."""
        (then, before), (now, after) = self._recent[0], self._recent[-1]
        return (after - before) / (now - then) if now > then else 0.0

    @property
    def used(self) -> dict[str, Any]:
        """What a budget counts, of all sessions: asked for at every call."""
        session = {
            "seconds": time.monotonic() - self._started,
            "trial_steps": self._trial_steps,
        }
        return _added(self._before, session)

    def figures(self) -> dict[str, Any]:
        """All counts as they stand; times in seconds."""
        compiled = counted() - self._compiled
        groups = {group.name: group.sums() for group in self._groups.values()}
        session = {
            "sessions": 1,
            "seconds": time.monotonic() - self._started,
            "train_seconds": self._train_seconds,
            "trial_steps": self._trial_steps,
            "examples": self._examples,
            "programs": len(groups),
            "compilations": compiled.training,
            "compilations_from_cache": compiled.from_cache,
            "calibration_compilations": compiled.calibration,
            "calibration_seconds": compiled.calibration_seconds,
            "peak_flops": self._peak * self._train_seconds,
            **{name: sum(group[name] for group in groups.values()) for name in SUMS},
        }
        sums = _added(self._before, session)
        before = self._before.get("groups", {})
        ours = {
            group.name: _added(before.get(group.name, {}), groups[group.name])
            | group.costs()
            for group in self._groups.values()
        }
        return {**sums, **rates(sums), "groups": before | ours}


def rates(sums: Mapping[str, Any]) -> dict[str, float]:
    """What the sums come to; 0 where there is nothing to divide by."""
    quotients = {
        "trial_steps_per_second": ("trial_steps", "train_seconds"),
        "examples_per_second": ("examples", "train_seconds"),
        "occupancy": ("lane_calls", "lane_calls_computed"),
        "lanes_in_use": ("lane_calls", "lane_calls_possible"),
        "flops_per_trial_step": ("flops", "trial_steps"),
        "share_waiting": ("input_seconds", "train_seconds"),
        "share_of_peak": ("flops", "peak_flops"),
    }
    return {
        name: sums[above] / sums[below] if sums[below] else 0.0
        for name, (above, below) in quotients.items()
    }


SUMS = (
    "compile_seconds",
    "trainings_traced",
    "lane_calls",
    "lane_calls_computed",
    "lane_calls_possible",
    "bytes_to_devices",
    "bytes_to_host",
    "input_seconds",
    "flops",
)


class _Group:
    """One program's counts in this session."""

    def __init__(self, name: str, engine: Engine) -> None:
        self.name, self._engine = name, engine
        self._ticks = self._updates = self._evaluations = 0

    def add(self, called: Called) -> None:
        self._ticks += called.kept.size
        self._updates += int(called.steps.sum())
        self._evaluations += int(called.due.sum())

    def sums(self) -> dict[str, int | float]:
        """By the names in SUMS."""
        engine, program = self._engine, self._engine.program
        flops = program.costs.tick * self._ticks
        flops += program.costs.update * self._updates
        flops += program.costs.evaluation * self._evaluations
        return {
            "compile_seconds": program.compile_seconds,
            "trainings_traced": program.traces["advance"],
            "lane_calls": engine.lane_calls,
            "lane_calls_computed": engine.slot_calls,
            "lane_calls_possible": engine.calls * engine.layout.lanes,
            "bytes_to_devices": program.bytes_sent,
            "bytes_to_host": program.bytes_fetched,
            "input_seconds": engine.feed.starved_seconds if engine.feed else 0.0,
            "flops": flops,
        }

    def costs(self) -> dict[str, float]:
        """What is no sum."""
        costs = self._engine.program.costs
        return {
            "flops_per_tick": costs.tick,
            "flops_per_update": costs.update,
            "flops_per_evaluation": costs.evaluation,
        }


def _added(before: Mapping[str, Any], session: Mapping[str, Any]) -> dict[str, Any]:
    return {name: before.get(name, 0) + value for name, value in session.items()}
