"""`tuner` as a contender: everything recorded; and its engine alone, nothing kept.

The time is that of the whole call, planning and the last commit included, without the
seconds in which programs were compiled.
"""

import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tuner
from benchmarks.timing import Measured
from benchmarks.workloads import DECAYS, EVAL_EVERY, RATES, Workload, load, optimizer
from tuner.lanes.engine import Engine
from tuner.lanes.layout import choose
from tuner.lanes.program import Program
from tuner.rounds.display import Silent
from tuner.rounds.groups import make_group, make_job
from tuner.rounds.preflight import preflight


def make_study(workload: Workload, trials: int, steps: int, **changes) -> tuner.Study:
    """The workload as a study of one round."""

    def loss(key, hyperparams, params, batch):
        mean, error = workload.loss(params, batch)
        return mean, {"error": error}

    def evaluate(key, hyperparams, params, batch):
        mean, error = workload.loss(params, batch)
        return {"loss": mean, "error": error}

    fields = {
        "name": "benchmark",
        "space": tuner.Space(
            learning_rate=tuner.Float(*RATES, log=True),
            weight_decay=tuner.Float(*DECAYS, log=True),
        ),
        "task": tuner.SupervisedTask(
            init=lambda key, hyperparams: workload.init(key),
            loss=loss,
            evaluate=evaluate,
            optimizer=lambda hyperparams, learning_rate: optimizer(
                learning_rate, hyperparams.weight_decay
            ),
            train=tuner.Arrays(workload.train),
            valid=tuner.Arrays(workload.valid),
            batch_size=workload.batch_size,
        ),
        "schedule": lambda hyperparams, steps: tuner.warmup_constant_decay(
            hyperparams.learning_rate, steps, decay_fraction=0.3
        ),
        "objective": "valid/error",
        "rounds": [tuner.Round(trials=trials, max_train_steps=steps)],
        "eval_every": EVAL_EVERY,
    }
    return tuner.Study(**(fields | changes))


def make_tuner(
    workload: str, trials: int, steps: int, *, layout: str | None = None
) -> Callable[[], Measured]:
    """`tuner.run` in a directory of its own; warmed up by one segment of each trial."""
    study = make_study(load(workload), trials, steps)
    short = tuner.Round(trials=trials, max_train_steps=EVAL_EVERY)
    run_study(dataclasses.replace(study, rounds=[short]), Silent(), layout=layout)
    return lambda: run_study(study, Silent(), layout=layout)


def run_study(
    study: tuner.Study,
    display: Silent,
    read: Callable[[tuner.Run], dict[str, Any]] = lambda run: {},
    *,
    layout: str | None = None,
) -> Measured:
    """One run from its beginning to its end; what `read` finds in it is noted."""
    with tempfile.TemporaryDirectory() as directory:
        started = time.perf_counter()
        run = tuner.run(study, Path(directory) / "run", layout=layout, display=display)
        seconds = time.perf_counter() - started
        figures = dict(run.figures)
        notes = figures | {"layout": run.layout} | read(run)
    return Measured(
        steps=figures["trial_steps"],
        seconds=seconds - figures["compile_seconds"],
        notes=notes,
    )


def make_engine(workload: str, trials: int, steps: int) -> Callable[[], Measured]:
    """The same plan and the same program, driven without a recorder or commits."""
    study = make_study(load(workload), trials, steps)
    program = Program(make_group(study, preflight(study).rounds[0][0]), choose(trials))
    program.compile()

    def run():
        started = time.perf_counter()
        planned = preflight(study).rounds[0]
        jobs = [make_job(study, t, start_step=0, trained=None) for t in planned]
        engine = train(program, jobs)
        return Measured(
            steps=engine.lane_segments * EVAL_EVERY,
            seconds=time.perf_counter() - started,
        )

    run()
    return run


def train(program: Program, jobs: list) -> Engine:
    """An engine that has trained all jobs; every result was read, and dropped."""
    engine = Engine(program)
    engine.submit(jobs)
    while engine.busy:
        engine.advance()
    return engine
