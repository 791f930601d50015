"""Starts of `tuner run` on the enduring study, in processes that can be interrupted."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import tuner

STUDY = Path(__file__).parent / "enduring.py"
LAYOUT = "2x2x2"
SECONDS = 300.0  # after which a process is taken to hang


def command(directory, *, every=None, options=()):
    """The command line of a start.

    Args:
        directory: of the run.
        every: commit after so many calls, in place of when time has passed.
        options: further ones of `tuner run`.
    """
    often = [] if every is None else ["-m", "endure.often", str(every)]
    run = ["run", str(STUDY), "--dir", str(directory), "--layout", LAYOUT, *options]
    return [sys.executable, *(often or ["-m", "tuner"]), *run]


def environment(cache):
    """Two devices, and a cache of compiled programs that this trial alone has."""
    ours = {"TUNER_CACHE_DIR": str(cache), "JAX_NUM_CPU_DEVICES": "2"}
    return os.environ | ours


def start(arguments, cache):
    """Start it, its output kept."""
    return subprocess.Popen(
        arguments,
        env=environment(cache),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


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


def uninterrupted(directory, cache):
    """The run to compare with, and the seconds that a start takes from end to end."""
    for attempt in ("compiled", "cached"):
        began = time.monotonic()
        code, out = ended(start(command(directory / attempt), cache))
        assert code == 0, out
    return tuner.open_run(directory / "compiled"), time.monotonic() - began


def until(condition, process):
    """Wait for a condition as long as the process lives; whether it came true."""
    while process.poll() is None:
        if condition():
            return True
        time.sleep(0.002)
    return False


def is_writing(directory, process):
    """Whether a process has signed the lock of a run."""
    try:
        return f'"pid": {process.pid}' in (Path(directory) / "lock").read_text()
    except FileNotFoundError:
        return False


def chance(seed):
    """Random numbers from a seed; printed, so that a failure can be had again."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    print(f"seed {seed}")
    return random.Random(seed)


def sleep_or_end(seconds, process):
    """Let time pass, less if the process ends."""
    deadline = time.monotonic() + seconds
    until(lambda: time.monotonic() >= deadline, process)
