"""Starts of the enduring study, in processes that can be interrupted."""

import argparse
import dataclasses
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import tuner

STUDY = Path(__file__).parent / "wished.py"
LAYOUT = "2x1x4"  # as wide as the rule's, and too small for all trials at once
SECONDS = 300.0  # after which a process is taken to hang


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """How a run is started.

    Attributes:
        wish: what `wished.py` is told.
        best_state: where best states are.
        cached: whether compiled programs are there.
        script: by `tuner.run`, and not by the command.
    """

    wish: str = ""
    best_state: str = "lane"
    cached: bool = True
    script: bool = False

    def __str__(self):
        told = {
            "script" if self.script else "command": True,
            f"wish {self.wish!r}": self.wish,
            f"best states in {self.best_state}s": self.best_state != "lane",
            "nothing compiled": not self.cached,
        }
        return ", ".join(text for text, is_told in told.items() if is_told)

    def start(self, directory):
        """Start a process that runs or resumes; its output is kept."""
        name = "cache" if self.cached else f"cache-{directory.name}"
        ours = {
            "ENDURE": self.wish,
            "JAX_NUM_CPU_DEVICES": "2",
            "TUNER_CACHE_DIR": str(directory.parent / name),
        }
        return subprocess.Popen(
            [sys.executable, "-m", *self._arguments(str(directory))],
            env=os.environ | ours,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _arguments(self, directory):
        if self.script:
            return ["endure.script", directory, LAYOUT]
        options = ["--dir", directory, "--best-state", self.best_state]
        if self.wish != "measured":
            options += ["--layout", LAYOUT]
        return ["tuner", "run", str(STUDY), *options]


def uninterrupted(directory):
    """The run to compare with, and the seconds that a start takes from end to end."""
    kind = Kind()
    for attempt in ("compiled", "cached"):
        began = time.monotonic()
        code, out = ended(kind.start(directory / attempt))
        assert code == 0, out
    return tuner.open_run(directory / "compiled"), time.monotonic() - began


def ended(process):
    """Its exit code and what it has printed, once it has ended by itself.

    Raises:
        subprocess.TimeoutExpired: where it hangs.
    """
    try:
        out, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out


def let_live(process, directory, seconds, chance):
    """Let a process live for a random time, of the seconds that a whole one takes.

    Half of them are counted from when it writes the run.
    """
    if chance.random() < 0.5:
        _until(lambda: _is_writing(directory, process), process)
        seconds *= 0.7  # is left by then
    deadline = time.monotonic() + chance.uniform(0, seconds)
    _until(lambda: time.monotonic() >= deadline, process)


def asked(about, *, moments):
    """How many moments the command line asks for, and random numbers for them.

    The seed is printed, so that a failure can be had again.

    Args:
        about: the script's docstring.
        moments: if it does not say.
    """
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--moments", type=int, default=moments)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}")
    return chosen.moments, random.Random(chosen.seed)


def _until(condition, process):
    """Wait for a condition as long as the process lives."""
    while process.poll() is None and not condition():
        time.sleep(0.002)


def _is_writing(directory, process):
    """Whether a process has signed the lock of a run."""
    try:
        return f'"pid": {process.pid}' in (directory / "lock").read_text()
    except FileNotFoundError:
        return False
