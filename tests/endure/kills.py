"""Killed at random moments, over many resumes, a run ends as if never interrupted.

    scripts/endure kills --moments 100 --seed 1

SIGKILL at so many moments: half of them anywhere from the first line of the process to
its last, half from when it writes the run. A run that completes is compared with one
that was never interrupted, in its trials, tables, best steps and states, bit for bit,
and the next begins. They take turns in committing as time passes and after every call
or two, in where they keep best states, and in whether programs are found compiled.
After every kill the run is read, and no row may be there that the end does not have.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import polars as pl
from equal_runs import assert_equal

import tuner
from endure import starts

KINDS = [  # commits after every so many calls; where best states are; cached programs
    (None, "lane", True),
    (1, "lane", True),
    (2, "snapshot", True),
    (None, "snapshot", False),
]


def endure(moments, chance, folder):
    """Kill at so many moments; the moments, and the runs that were completed.

    Raises:
        AssertionError: where a run differs from the uninterrupted one.
    """
    reference, seconds = starts.uninterrupted(folder / "whole", folder / "cache")
    kills = runs = 0
    for number, kind in enumerate(itertools.cycle(KINDS)):
        directory, began = folder / f"run-{number}", time.monotonic()
        killed = _to_the_end(
            directory, kind, reference, seconds, chance, moments - kills
        )
        assert_equal(tuner.open_run(directory), reference)
        kills, runs = kills + killed, runs + 1
        print(
            f"run {runs}, {_named(kind)}: killed {killed} times, then complete and "
            f"equal; {kills} of {moments}, {time.monotonic() - began:.0f} s",
            flush=True,
        )
        if kills >= moments:
            return kills, runs
    raise AssertionError("a cycle has no end")


def _to_the_end(directory, kind, reference, seconds, chance, most):
    """Start until it completes, killing each start; how many were killed."""
    every, best_state, cached = kind
    cache = directory.parent / ("cache" if cached else f"cache-{directory.name}")
    arguments = starts.command(
        directory, every=every, options=["--best-state", best_state]
    )
    for killed in itertools.count():
        process = starts.start(arguments, cache)
        if killed < most:
            _kill(process, directory, seconds, chance)
        code, out = starts.ended(process)
        assert code in (0, -9), f"exit code {code}\n{out}"
        if code == 0:
            return killed
        _check_readable(directory, reference)
    raise AssertionError("counting has no end")


def _kill(process, directory, seconds, chance):
    """Let a start live for a random time, of the seconds that a whole one takes."""
    if chance.random() < 0.5:
        starts.until(lambda: starts.is_writing(directory, process), process)
        seconds *= 0.7  # is left by then
    starts.sleep_or_end(chance.uniform(0, seconds), process)
    process.kill()


def _check_readable(directory, reference):
    """What is there can be read, and is part of what the end will be."""
    if not (directory / "trials.sqlite").exists():
        return
    try:
        run = tuner.open_run(directory)
        tables = {name: run.metrics(name) for name in ("train", "valid")}
    except FileNotFoundError:
        return  # killed before there was anything
    assert run.trials.height <= reference.trials.height
    for name, rows in tables.items():
        assert rows.select(pl.col("trial", "step")).is_unique().all()
        known = rows.join(
            reference.metrics(name), on=rows.columns, how="anti", nulls_equal=True
        )
        assert known.is_empty(), known


def _named(kind):
    every, best_state, cached = kind
    often = {None: "as time passes", 1: "after every call"}
    programs = "cached" if cached else "compiled"
    often = often.get(every, f"after every {every} calls")
    return f"commits {often}, best states by {best_state}, programs {programs}"


def main():
    """Parse, endure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seed", type=int)
    chosen = parser.parse_args()
    chance, began = starts.chance(chosen.seed), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        kills, runs = endure(chosen.moments, chance, Path(folder))
    print(
        f"{kills} kills in {runs} runs, each equal to the uninterrupted one; "
        f"{time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
