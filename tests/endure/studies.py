"""Any study that can be drawn is refused by a check of ours, or runs.

    scripts/endure studies --number 300 --seed 1

As `rounds/test_drawn_studies.py` does with a few, always the same.
"""

import argparse
import importlib.util
import time
from pathlib import Path

import hypothesis
import jax
import jaxtyping
from drawn import definitions

PATH = Path(__file__).parents[1] / "rounds" / "test_drawn_studies.py"


def endure(number, seed):
    """Draw so many, and return how many of them have run; an error shows the study."""
    spec = importlib.util.spec_from_file_location("drawn_studies", PATH)
    test = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(test)
    ran = []

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=number, deadline=None, database=None)
    @hypothesis.given(definitions())
    def draw(parts):
        ran.append(test.run_or_refused(parts))

    jaxtyping.config.update("jaxtyping_disable", True)
    draw()
    return sum(ran), len(ran)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", 2)
    began = time.monotonic()
    ran, drawn = endure(asked.number, asked.seed)
    print(
        f"seed {asked.seed}: {drawn} studies drawn, {ran} ran, {drawn - ran} were "
        f"refused before anything compiled, {time.monotonic() - began:.0f} s"
    )
