"""P2: from the start of a process to its end, compilation included, empty caches."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results import Figure, Findings, Scale
from benchmarks.timing import Measured, empty_caches, ratios, touch_memory
from benchmarks.workloads import load

ROOT = Path(__file__).parents[2]


def cold(scale: Scale) -> Findings:
    """`tuner` in full; Optuna for fewer trials, made longer by those after the first.

    An Optuna study of 512 trials takes as long as one of 64 and 448 times what each of
    its trials after the first took.
    """
    trials, fewer, steps = scale.of(512, 8), scale.of(64, 2), scale.of(500, 50)
    turns = {"tuner, cold": [], "Optuna, cold": []}
    for _ in range(scale.repeats):
        seconds, _ = _process("tuner", trials, steps)
        turns["tuner, cold"].append(Measured(steps=trials * steps, seconds=seconds))
        seconds, notes = _process("optuna", fewer, steps)
        more = (trials - fewer) * notes["after_first"] / (fewer - 1)
        turns["Optuna, cold"].append(
            Measured(
                steps=trials * steps,
                seconds=seconds + more,
                notes={"measured_seconds": seconds, "measured_trials": fewer},
            )
        )
    return Findings(
        title=f"{load('mlp').title}, {trials} trials x {steps} steps, cold",
        figures=[
            Figure(
                number="P2",
                claim="tuner to Optuna, lean, whole processes",
                values=ratios(turns["tuner, cold"], turns["Optuna, cold"]),
                least=10,
            )
        ],
        turns=turns,
    )


def _process(contender: str, trials: int, steps: int) -> tuple[float, dict]:
    """Seconds of a process with empty caches, and the notes that it printed."""
    command = [sys.executable, "-m", "benchmarks.once", contender, "mlp"]
    with tempfile.TemporaryDirectory() as caches:
        environment = os.environ | empty_caches(caches)
        for name in ("JAX_NUM_CPU_DEVICES", "JAX_COMPILATION_CACHE_DIR"):
            environment.pop(name, None)
        touch_memory()
        started = time.perf_counter()
        done = subprocess.run(
            [*command, str(trials), str(steps)],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        seconds = time.perf_counter() - started
    return seconds, json.loads(done.stdout.splitlines()[-1])["notes"]
