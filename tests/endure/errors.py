"""Errors at random moments, over many resumes: a run ends as if there had been none.

    scripts/endure errors --moments 100 --seed 1

At so many moments a display raises, or the study's rule, or a device has no memory left
for a call; all in one process. After the first two the run is started again, after the
last it goes on by itself. A run that completes is compared with one that nothing
disturbed, in its trials, tables, best steps and states, bit for bit, and the next
begins.
"""

import collections
import dataclasses
import itertools
import os
import tempfile
import time
from pathlib import Path

import jax

jax.config.update("jax_num_cpu_devices", 2)

from displays import RaiseAfter  # noqa: E402 (devices are counted when first used)
from equal_runs import assert_equal  # noqa: E402

import tuner  # noqa: E402
from endure import starts  # noqa: E402
from endure.enduring import study  # noqa: E402
from tuner.lanes.program import Program  # noqa: E402
from tuner.rounds.display import Silent  # noqa: E402

LAYOUT = "2x2x4"  # half of the chunks may be lost, which changes no bit
MOMENTS = {"display": 250, "rule": 1500, "memory": 250}  # of a whole run, about
MOST = 8  # errors of one run
EXHAUSTED = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1024 bytes."
ADVANCE, (PRUNE,) = Program.advance, study.stop


class Rule:
    """The study's, but for an error when it is asked for the n-th time."""

    def __init__(self, error_at=0):
        self.error_at, self.count = error_at, itertools.count(1)

    def __call__(self, evaluations):
        if next(self.count) == self.error_at:
            raise RuntimeError("from outside")
        return PRUNE(evaluations)

    def describe(self):
        return PRUNE.describe()


def start(directory, kind="", at=0):
    """Start a run in which an error comes; what it was, if it came."""
    display = RaiseAfter(at) if kind == "display" else Silent()
    rule = Rule(at if kind == "rule" else 0)
    calls = itertools.count(1)

    def advance(program, *inputs):
        if next(calls) == at:
            for leaf in jax.tree.leaves(program.lanes):
                leaf.delete()  # they are lost with the call
            raise jax.errors.JaxRuntimeError(EXHAUSTED)
        return ADVANCE(program, *inputs)

    Program.advance = advance if kind == "memory" else ADVANCE
    same = dataclasses.replace(study, stop=rule)
    try:
        run = tuner.run(same, directory, layout=LAYOUT, display=display)
    except Exception as error:
        if "from outside" not in str(error):
            raise
        return kind
    return "memory" if "out_of_memory" in run.definition else ""


def endure(moments, chance, folder):
    """Let so many errors come; how many of each kind.

    Raises:
        AssertionError: where a run differs from the undisturbed one.
    """
    start(folder / "whole")
    reference, came = tuner.open_run(folder / "whole"), collections.Counter()
    for number in itertools.count(1):
        directory, kinds = folder / f"run-{number}", list(MOMENTS)
        for _ in range(MOST):
            kind = chance.choice(kinds)
            outcome = start(directory, kind, chance.randrange(1, MOMENTS[kind]))
            came[outcome] += bool(outcome)
            if outcome != kind or kind == "memory":
                break  # it has completed
        else:
            start(directory)
        assert_equal(tuner.open_run(directory), reference)
        print(f"run {number}: complete and equal; {dict(+came)}", flush=True)
        if came.total() >= moments:
            return +came
    raise AssertionError("counting has no end")


def main():
    """Parse, endure, print."""
    moments, chance = starts.asked(__doc__, moments=100)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TUNER_CACHE_DIR"] = f"{folder}/cache"
        came = endure(moments, chance, Path(folder))
    print(
        f"{dict(came)}, each run equal to the undisturbed one; "
        f"{time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
