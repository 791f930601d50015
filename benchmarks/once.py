"""One contender, once, from an empty process: what a cold start is.

Command: python -m benchmarks.once {tuner,optuna} WORKLOAD TRIALS STEPS

Prints what was measured as JSON. Imports, tracing, compilation and the interpreter's
own start and end are for the caller to time.
"""

import argparse
import dataclasses
import json

import jax

from benchmarks.loops import make_optuna
from benchmarks.ours import make_study, run_study
from benchmarks.workloads import load
from tuner.lanes.layout import num_cores
from tuner.rounds.display import Silent


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("contender", choices=("tuner", "optuna"))
    parser.add_argument("workload")
    parser.add_argument("trials", type=int)
    parser.add_argument("steps", type=int)
    arguments = parser.parse_args()
    sizes = (arguments.trials, arguments.steps)
    if arguments.contender == "tuner":
        jax.config.update("jax_num_cpu_devices", num_cores())
        measured = run_study(make_study(load(arguments.workload), *sizes), Silent())
    else:
        measured = make_optuna(arguments.workload, *sizes)()
    print(json.dumps(dataclasses.asdict(measured), default=float))


if __name__ == "__main__":
    main()
