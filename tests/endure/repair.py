"""Damaged at random and repaired, a run equals the undamaged one.

    scripts/endure repair --runs 60 --seed 1

Copies of two complete runs, with best states in the lanes and as snapshots, and of one
that was interrupted, each with one to three of its parts and snapshots damaged. Each is
repaired, half of them with an interruption, and compared in its trials, tables and
states, bit for bit.
"""

import argparse
import itertools
import random
import shutil
import tempfile
import time
from pathlib import Path

import damaging
import jax
from displays import Told
from equal_runs import assert_equal, without_notes
from kept import make_run

import tuner
from tuner.rounds.cadence import Cadence
from tuner.rounds.repair import NOTE


def endure(runs, first, folder):
    """Damage and repair so many copies; how many trials were trained again.

    Raises:
        AssertionError: where a repaired run differs.
    """
    turns = itertools.count()
    Cadence.due = lambda *_: next(turns) % 2 == 1
    sources = [_source(folder / kind, kind) for kind in ("lane", "snapshot", "left")]
    trained, damaged = 0, 0
    for seed in range(first, first + runs):
        source, whole = sources[seed % len(sources)]
        run = folder / str(seed)
        chance = random.Random(seed)
        shutil.copytree(source.directory, run)
        done = _damage(run, chance)
        lost = tuner.check_files(run).trials
        damaged += bool(lost)
        if chance.random() < 0.5:
            budget = tuner.Budget(steps=source.figures["trial_steps"] + 20)
            tuner.repair(make_run.study(), run, budget=budget, display=Told())
        repaired = tuner.repair(make_run.study(), run, display=Told())
        again = repaired.trials.filter(note=NOTE)["trial"]
        assert set(lost) <= set(again), (seed, done)
        trained += len(again)
        try:
            assert tuner.check_files(run).is_sound
            assert_equal(without_notes(repaired), whole)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, {done}") from error
        shutil.rmtree(run)
    return damaged, trained


def _source(directory, kind):
    """A run to be damaged, and how it ends."""
    best_state = "snapshot" if kind == "left" else kind
    options = {
        "layout": make_run.LAYOUT,
        "best_state": best_state,
        "display": Told(),
    }
    if kind != "left":
        run = tuner.run(make_run.study(), directory, **options)
        return run, run
    budget = tuner.Budget(steps=make_run.INTERRUPTED_AT)
    run = tuner.run(make_run.study(), directory, budget=budget, **options)
    copy = directory.with_name("whole")
    shutil.copytree(directory, copy)
    return run, tuner.run(make_run.study(), copy, display=Told())


def _damage(run, chance):
    """One to three files of parts and snapshots, each in some way."""
    done = []
    for _ in range(chance.choice([1, 1, 2, 3])):
        files = damaging._files(run)
        path = chance.choice([f for f in files if f.startswith(("metr", "snap"))])
        way = chance.choice(damaging.WAYS)
        if (run / path).stat().st_size or way is damaging.remove:
            done.append(f"{way.__name__} {path}")
            way(run, path, chance)
        if not (run / "trials.sqlite").is_file():
            raise AssertionError(done)
    return done


def main():
    """Parse, endure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1, help="of the first")
    chosen = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", 1)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        damaged, trained = endure(chosen.runs, chosen.seed, Path(folder))
    print(
        f"{chosen.runs} runs, {damaged} of them with damage to records, repaired by "
        f"training {trained} trials again, each equal to the undamaged one; "
        f"{time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
