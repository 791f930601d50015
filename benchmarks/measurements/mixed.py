"""P6: trials of many lengths and schedules in one program; how full its lanes are.

128 trials in 64 lanes, horizons of 250 to 1,000 steps, three decays, longest first. A
round has one horizon, so the engine is given the jobs directly.

Two efficiencies, both with the tail in which lanes run empty: segments of trials among
those that were computed; and the speed beside that of the same program when all of its
lanes are always full. What mixes one program further is measured here too.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import tuner
from benchmarks.ours import make_study, train
from benchmarks.results import Figure, Findings, Scale
from benchmarks.timing import Contender, Measured, in_turns, ratios
from benchmarks.workloads import EVAL_EVERY, Workload, load
from tuner.lanes.job import Job
from tuner.lanes.layout import choose, num_cores
from tuner.lanes.program import Program
from tuner.rounds.groups import make_group, make_job
from tuner.rounds.trials import planned

DECAYS = ("linear", "cosine", "1-sqrt")
LANES = 64


def mixed(scale: Scale) -> Findings:
    """Mixed horizons and schedules against one horizon, at which no lane is empty."""
    trials = scale.of(128, 8)
    horizons = {
        "mixed horizons": (250, 450, 700, 1000) if not scale.quick else (50, 100),
        "one horizon": (scale.of(600, 100),),
    }
    contenders = [
        Contender(
            name=name,
            make=make_mixture,
            arguments={"workload": "mlp", "trials": trials, "horizons": steps},
            devices=num_cores(),
        )
        for name, steps in horizons.items()
    ]
    turns = in_turns(contenders, scale.repeats, apart=not scale.quick)
    ours, full = (turns[name] for name in horizons)
    return Findings(
        title=f"{load('mlp').title}, {trials} trials of 250 to 1,000 steps, "
        f"{len(DECAYS)} schedules, {LANES} lanes",
        figures=[
            Figure(
                number="P6",
                claim="segments of trials to segments computed",
                values=[t.notes["occupancy"] for t in ours],
                least=0.9,
                unit="",
            ),
            Figure(
                number="P6",
                claim="speed to that of lanes that are always full",
                values=ratios(ours, full),
                least=0.9,
                unit="",
            ),
            Figure(
                number="P6",
                claim="training programs compiled",
                values=[t.notes["programs"] for t in ours],
                most=1,
                unit="",
            ),
        ],
        turns=turns,
    )


def make_mixture(
    workload: str, trials: int, horizons: Sequence[int]
) -> Callable[[], Measured]:
    """A program, and jobs whose horizons and schedules take turns."""
    jobs, group = _jobs(load(workload), trials, horizons)
    program = Program(group, choose(min(trials, LANES)))
    program.compile()

    def run():
        started = time.perf_counter()
        engine = train(program, jobs)
        seconds = time.perf_counter() - started
        return Measured(
            steps=engine.lane_segments * EVAL_EVERY,
            seconds=seconds,
            notes={
                "occupancy": engine.lane_segments / engine.slot_segments,
                "programs": program.traces["advance"],
            },
        )

    run()
    return run


def _jobs(
    workload: Workload, trials: int, horizons: Sequence[int]
) -> tuple[list[Job], Any]:
    jobs = []
    kinds = [(steps, decay) for steps in horizons for decay in DECAYS]
    for kind, (steps, decay) in enumerate(kinds):
        study = _study(workload, trials, steps, decay)
        mine = list(planned(study, 1))[kind :: len(kinds)]
        jobs += [make_job(study, t, start_step=0, trained=None) for t in mine]
    return jobs, make_group(study, mine[0])


def _study(workload: Workload, trials: int, steps: int, decay: str) -> tuner.Study:
    def schedule(hyperparams, max_train_steps):
        return tuner.warmup_constant_decay(
            hyperparams.learning_rate, max_train_steps, decay_fraction=0.3, decay=decay
        )

    study = make_study(workload, trials, steps)
    return dataclasses.replace(study, schedule=schedule)
