"""Damaged at random, a run gives the right answer, or an error that names the file.

    scripts/endure damage --runs 3000 --seed 1

Copies of a small run, each with one to three of its files damaged: bits flipped, blocks
blanked, truncated, emptied, removed, doubled, swapped, moved behind a link, made a
folder; two in five with a journal of the ledger left behind. All that reads a run is
asked all there is, and a writer opens it, which may remove nothing that is sound.
"""

import argparse
import collections
import random
import shutil
import tempfile
import time
from pathlib import Path

import damaging


def endure(runs, first, folder):
    """Damage so many copies; how often each way, and what is wrong, by seed."""
    right, ways, found = damaging.truth(), collections.Counter(), {}
    for seed in range(first, first + runs):
        run = folder / str(seed)
        done, changed = damaging.damage(seed, run)
        ways.update(line.split()[0] for line in done)
        chance = random.Random(seed)
        wrong = [
            *damaging.complaints(run, changed, right, chance, ask_all=True),
            *damaging.losses(run, changed),
        ]
        if wrong:
            found[seed] = done, wrong
            print(f"seed {seed}, {done}: {wrong}", flush=True)
        shutil.rmtree(run)
    return ways, found


def main():
    """Parse, endure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1000, help="of the first")
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        ways, found = endure(chosen.runs, chosen.seed, Path(folder))
    print(", ".join(f"{way} {times}" for way, times in sorted(ways.items())))
    print(
        f"{chosen.runs} damaged runs, {len(found)} of them read or written wrongly; "
        f"{time.monotonic() - began:.0f} s"
    )
    return bool(found)


if __name__ == "__main__":
    raise SystemExit(main())
