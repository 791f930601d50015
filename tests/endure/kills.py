"""Killed at random moments, over many resumes, a run ends as if never interrupted.

    scripts/endure kills --moments 100 --seed 1

SIGKILL at so many moments: half of them anywhere from the first line of the process to
its last, half from when it writes the run. A run that completes is compared with one
that was never interrupted, in its trials, tables, best steps and states, bit for bit,
and the next begins. They take turns in committing as time passes and after every call
or two, in where they keep best states, and in whether programs are found compiled.
After every kill the run is read, and no row may be there that the end does not have.
"""

import itertools
import tempfile
import time
from pathlib import Path

import polars as pl
from equal_runs import assert_equal

import tuner
from endure import starts
from endure.starts import Kind

KINDS = [
    Kind(),
    Kind(wish="1"),
    Kind(wish="2", best_state="snapshot"),
    Kind(cached=False),
]
MOST = 20  # kills of one run


def endure(moments, chance, folder):
    """Kill at so many moments; how many runs were completed.

    Raises:
        AssertionError: where a run differs from the uninterrupted one.
    """
    reference, seconds = starts.uninterrupted(folder)
    kills = 0
    for number, kind in enumerate(itertools.cycle(KINDS), 1):
        directory, began = folder / f"run-{number}", time.monotonic()
        most = min(moments, kills + MOST)
        while kills < most:
            process = kind.start(directory)
            starts.let_live(process, directory, seconds, chance)
            process.kill()
            code, out = starts.ended(process)
            assert code in (0, -9), f"exit code {code}\n{out}"
            if code == 0:
                break
            kills += 1
            check_readable(directory, reference)
        else:
            code, out = starts.ended(kind.start(directory))
            assert code == 0, f"exit code {code}\n{out}"
        assert_equal(tuner.open_run(directory), reference)
        print(
            f"run {number} ({kind}): complete and equal; {kills} of {moments} kills, "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
        if kills >= moments:
            return number
    raise AssertionError("a cycle has no end")


def check_readable(directory, reference):
    """What is there can be read, and is part of what the end will be."""
    if not (directory / "study.json").exists():
        return  # interrupted before there was anything
    run = tuner.open_run(directory)
    assert run.trials.height <= reference.trials.height
    for name in ("train", "valid"):
        rows, whole = run.metrics(name), reference.metrics(name)
        assert rows.select(pl.col("trial", "step")).is_unique().all()
        other = rows.join(whole, on=rows.columns, how="anti", nulls_equal=True)
        assert other.is_empty(), other


def main():
    """Parse, endure, print."""
    moments, chance = starts.asked(__doc__, moments=100)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        runs = endure(moments, chance, Path(folder))
    print(
        f"{moments} kills in {runs} runs, each equal to the uninterrupted one; "
        f"{time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
