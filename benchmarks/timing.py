"""Who is measured and when: contenders take turns, each in a process of its own.

Machines are noisy: a busy minute should hit all alike, so the contenders run one after
another, then all again in the opposite order, and so on. A process of its own lets each
have the devices it wants, and keeps one's threads and memory from another. What a
contender compiles, it compiles before its first turn. Before each turn memory is
touched, for the sake of virtual machines: where the host lends it at first touch, and
has it back when it is free, a megabyte written to a file can take ten times as long as
it does later.
"""

import dataclasses
import importlib.util
import multiprocessing
import os
import statistics
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

TOUCHED = 2**28  # bytes, more than a turn writes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """What a turn brought.

    Attributes:
        steps: trial-steps, or whatever else was counted.
        seconds: that they took.
        notes: what else is worth keeping, as JSON.
    """

    steps: int
    seconds: float
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def speed(self) -> float:
        """Steps a second."""
        return self.steps / self.seconds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contender:
    """Who takes part.

    Attributes:
        name: in the tables.
        make: a function of a module; it compiles what it needs and returns what is
            called once a turn.
        arguments: of `make`.
        devices: of JAX on CPU; one is what JAX has unless it is told.
        needs: a module without which it does not take part.
    """

    name: str
    make: Callable[..., Callable[[], Measured]]
    arguments: Mapping[str, Any]
    devices: int = 1
    needs: str | None = None


Turns = Mapping[str, Sequence[Measured]]


def in_turns(
    contenders: Sequence[Contender], repeats: int, *, apart: bool = True
) -> dict[str, list[Measured]]:
    """All turns of every contender that can take part, by name.

    Args:
        contenders: in the order of their turns.
        repeats: how many turns each has.
        apart: each in a process of its own; False is for a quick trial.
    """
    there = [c for c in contenders if _can_take_part(c)]
    if not apart:
        runs = {c.name: c.make(**c.arguments) for c in there}
        return {name: [run() for _ in range(repeats)] for name, run in runs.items()}
    turns: dict[str, list[Measured]] = {c.name: [] for c in there}
    with _workers(there) as workers:
        for repeat in range(repeats):
            order = list(workers.items())
            for name, worker in reversed(order) if repeat % 2 else order:
                touch_memory()
                worker.send(True)
                turns[name].append(_answer(worker, name))
    return turns


def touch_memory() -> None:
    """Let the machine have memory that it need not ask its host for."""
    np.ones(TOUCHED, np.uint8)


def ratios(ours: Sequence[Measured], theirs: Sequence[Measured]) -> list[float]:
    """Speeds compared turn by turn: what ran side by side."""
    return [a.speed / b.speed for a, b in zip(ours, theirs, strict=True)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    middle = statistics.median(values)
    return {"median": middle, "least": min(values), "most": max(values)}


def empty_caches(folder: str) -> dict[str, str]:
    """Environment variables under which nothing is remembered from before."""
    return {"XDG_CACHE_HOME": folder, "TUNER_CACHE_DIR": folder}


def _can_take_part(contender: Contender) -> bool:
    if contender.needs is None or importlib.util.find_spec(contender.needs):
        return True
    print(f"{contender.name}: left out, since {contender.needs} is not installed")
    return False


@contextmanager
def _workers(contenders: Sequence[Contender]) -> Iterator[dict[str, Any]]:
    """A process for each, started and made ready one after another."""
    context = multiprocessing.get_context("spawn")
    processes, ends, before = [], {}, dict(os.environ)
    with tempfile.TemporaryDirectory() as caches:
        os.environ.update(empty_caches(caches))
        try:
            for contender in contenders:
                os.environ["JAX_NUM_CPU_DEVICES"] = str(contender.devices)
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_serve, args=(theirs, contender.make, contender.arguments)
                )
                process.start()
                theirs.close()
                processes.append(process)
                ends[contender.name] = ours
                _answer(ours, contender.name)
            yield ends
        finally:
            os.environ.clear()
            os.environ.update(before)
            for end in ends.values():
                end.close()
            for process in processes:
                process.join()


def _serve(end: Any, make: Callable, arguments: Mapping[str, Any]) -> None:
    """The worker's side: be made ready, then take a turn whenever asked."""
    try:
        run = make(**arguments)
        end.send("ready")
        while end.recv():
            end.send(run())
    except EOFError:
        return  # no more turns
    except Exception:
        end.send(RuntimeError(traceback.format_exc()))


def _answer(end: Any, name: str) -> Any:
    answer = end.recv()
    if isinstance(answer, Exception):
        raise RuntimeError(f"{name} failed") from answer
    return answer
