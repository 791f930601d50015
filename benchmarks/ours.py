"""`tuner` as a contender: everything recorded; and its engine alone, nothing kept.

The time is that of the whole call, planning and the last commit included, without the
seconds in which programs were compiled.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import tuner
from benchmarks.timing import Measured
from benchmarks.workloads import DECAYS, EVAL_EVERY, RATES, Workload, load, optimizer
from tuner.lanes.engine import Engine
from tuner.lanes.job import Job
from tuner.lanes.layout import Layout
from tuner.lanes.program import Program
from tuner.rounds.display import Silent
from tuner.rounds.groups import make_group, make_job
from tuner.rounds.preflight import preflight


def make_study(
    workload: Workload,
    trials: int,
    steps: int,
    *,
    batch_sizes: Sequence[int] = (),
    in_parts: bool = False,
) -> tuner.Study:
    """The workload as a study of one round.

    Args:
        workload: what is trained.
        trials: their number.
        steps: of each.
        batch_sizes: to choose from, in place of the workload's one.
        in_parts: let them share a program, in micro-batches.
    """

    def loss(key, hyperparams, params, batch):
        mean, error = workload.loss(params, batch)
        return mean, {"error": error}

    def evaluate(key, hyperparams, params, batch):
        mean, error = workload.loss(params, batch)
        return {"loss": mean, "error": error}

    sizes = {"batch_size": tuner.Choice(*batch_sizes)} if batch_sizes else {}
    return tuner.Study(
        name="benchmark",
        space=tuner.Space(
            learning_rate=tuner.Float(*RATES, log=True),
            weight_decay=tuner.Float(*DECAYS, log=True),
            **sizes,
        ),
        task=tuner.SupervisedTask(
            init=lambda key, hyperparams: workload.init(key),
            loss=loss,
            evaluate=evaluate,
            optimizer=lambda hyperparams, learning_rate: optimizer(
                learning_rate, hyperparams.weight_decay
            ),
            train=tuner.Arrays(workload.train),
            valid=tuner.Arrays(workload.valid),
            batch_size="traced" if in_parts else None if sizes else workload.batch_size,
        ),
        schedule=lambda hyperparams, steps: tuner.warmup_constant_decay(
            hyperparams.learning_rate, steps, decay_fraction=0.3
        ),
        objective="valid/error",
        rounds=[tuner.Round(trials=trials, max_train_steps=steps)],
        eval_every=EVAL_EVERY,
    )


def make_tuner(
    workload: str, trials: int, steps: int, *, layout: str | None = None
) -> Callable[[], Measured]:
    """`tuner.run` in a directory of its own; warmed up by a run.

    What it measures to choose a layout, it measures and remembers then.
    """
    study = make_study(load(workload), trials, steps)
    run_study(study, Silent(), layout=layout)
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
    (layout,) = run_study(study, Silent()).notes["layout"].values()
    program = Program(
        make_group(study, preflight(study).rounds[0][0]), Layout.parse(layout)
    )
    program.compile()

    def run():
        started = time.perf_counter()
        planned = preflight(study).rounds[0]
        jobs = [make_job(study, t, start_step=0, trained=None) for t in planned]
        train([(program, jobs)])
        return Measured(steps=trials * steps, seconds=time.perf_counter() - started)

    run()
    return run


def train(work: Iterable[tuple[Program, Sequence[Job]]]) -> list[Engine]:
    """Train the jobs of programs, one joining in when the one before has none waiting.

    Returns:
        Their engines. Every result was read, and dropped.
    """
    waiting, engines = list(work), []
    while waiting or any(engine.busy for engine in engines):
        if waiting and not any(engine.num_waiting for engine in engines):
            program, jobs = waiting.pop(0)
            engines.append(Engine(program))
            engines[-1].submit(jobs)
        for engine in engines:
            if engine.busy:
                engine.advance()
    return engines
