"""P6: lengths, schedules and batch sizes mixed in one program; how full its lanes are.

128 trials in 64 lanes, horizons of 250 to 1,000 steps, three decays, the longest first.
A round has one horizon, so the engine is given the jobs directly.

Two efficiencies, both with the tail in which lanes run empty: lanes that train a trial
among those computed; and the speed beside that of a program whose lanes are always
full. Batch sizes of 32 to 256 share a program in micro-batches of 32, or have a program
each: which is faster, once compiled, is measured.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tuner
from benchmarks.ours import make_study, train
from benchmarks.results import Figure, Findings, Scale
from benchmarks.timing import Contender, Measured, Turns, in_turns, ratios
from benchmarks.workloads import Workload, load
from tuner.lanes.job import Job
from tuner.lanes.layout import choose, num_cores
from tuner.lanes.program import Program
from tuner.lanes.trial import Group
from tuner.rounds.groups import by_group, make_group, make_job
from tuner.rounds.trials import planned

DECAYS = ("linear", "cosine", "1-sqrt")
BATCH_SIZES = (32, 64, 128, 256)
LANES, TRIALS = 64, (128, 8)


def mixed(scale: Scale) -> Findings:
    """Horizons and schedules, against lanes that are always full."""
    mixtures = {
        "mixed horizons": {"horizons": _horizons(scale)},
        "one horizon": {"horizons": (scale.of(600, 100),)},
    }
    turns = _measure(scale, mixtures)
    lengths, full = turns.values()
    return Findings(
        title=_title(scale),
        figures=[
            *_fullness(lengths),
            Figure(
                number="P6",
                claim="speed to that of lanes that are always full",
                values=ratios(lengths, full),
                least=0.9,
                unit="",
            ),
        ],
        turns=turns,
    )


def batch_sizes(scale: Scale) -> Findings:
    """The same with four batch sizes in one program, against a program for each."""
    mixture = {"horizons": _horizons(scale), "batch_sizes": BATCH_SIZES}
    turns = _measure(
        scale,
        {
            "batch sizes in one program": mixture | {"in_parts": True},
            "a program for each": mixture,
        },
    )
    together, apart = turns.values()
    pairs = [(a.notes, b.notes) for a, b in zip(together, apart, strict=True)]
    return Findings(
        title=f"{_title(scale)}, batch sizes {BATCH_SIZES[0]} to {BATCH_SIZES[-1]}",
        figures=[
            *_fullness(together),
            Figure(
                number="P6",
                claim="examples/s, one program to a program for each size",
                values=ratios(together, apart),
            ),
            Figure(
                number="P6",
                claim="compilation, one program to a program for each size",
                values=[a["compile_seconds"] / b["compile_seconds"] for a, b in pairs],
            ),
        ],
        turns=turns,
    )


def _measure(scale: Scale, mixtures: Mapping[str, Mapping[str, Any]]) -> Turns:
    sizes = {"workload": "mlp", "trials": scale.of(*TRIALS)}
    contenders = [
        Contender(
            name=name,
            make=make_mixture,
            arguments=sizes | mixture,
            devices=num_cores(),
        )
        for name, mixture in mixtures.items()
    ]
    return in_turns(contenders, scale.repeats, apart=not scale.quick)


def _fullness(turns: Sequence[Measured]) -> Iterator[Figure]:
    yield Figure(
        number="P6",
        claim="lanes that train to lanes computed",
        values=[turn.notes["occupancy"] for turn in turns],
        least=0.9,
        unit="",
    )
    yield Figure(
        number="P6",
        claim="training programs traced",
        values=[turn.notes["programs"] for turn in turns],
        most=1,
        unit="",
    )


def _horizons(scale: Scale) -> Sequence[int]:
    return (50, 100) if scale.quick else (250, 450, 700, 1000)


def _title(scale: Scale) -> str:
    first, *_, last = _horizons(scale)
    return (
        f"{load('mlp').title}, {scale.of(*TRIALS)} trials of {first} to {last:,} "
        f"steps, {len(DECAYS)} schedules, {LANES} lanes"
    )


def make_mixture(
    workload: str, trials: int, horizons: Sequence[int], **batches: Any
) -> Callable[[], Measured]:
    """Programs, and jobs whose horizons and schedules take turns.

    Args:
        workload: its name.
        trials: their number.
        horizons: steps.
        **batches: of `make_study`.
    """
    work = []
    for group, jobs in _groups(load(workload), trials, horizons, batches):
        work.append((Program(group, choose(min(len(jobs), LANES))), jobs))
        work[-1][0].compile()

    def run():
        started = time.perf_counter()
        engines = train(work)
        seconds = time.perf_counter() - started
        computed = sum(engine.slot_calls for engine in engines)
        return Measured(
            steps=sum(job.horizon for _, jobs in work for job in jobs),
            seconds=seconds,
            notes={
                "occupancy": sum(e.lane_calls for e in engines) / computed,
                "programs": sum(p.traces["advance"] for p, _ in work),
                "compile_seconds": sum(p.compile_seconds for p, _ in work),
            },
        )

    run()
    return run


def _groups(
    workload: Workload, trials: int, horizons: Sequence[int], batches: dict[str, Any]
) -> list[tuple[Group, list[Job]]]:
    """The programs that the trials need, each with its jobs."""
    groups: dict[str, tuple[Group, list[Job]]] = {}
    kinds = [(steps, decay) for steps in horizons for decay in DECAYS]
    for kind, (steps, decay) in enumerate(kinds):
        study = _study(make_study(workload, trials, steps, **batches), decay)
        mine = list(planned(study, 1))[kind :: len(kinds)]
        for name, members in by_group(study, mine).items():
            _, jobs = groups.setdefault(name, (make_group(study, members[0]), []))
            jobs += [make_job(study, t, start_step=0, trained=None) for t in members]
    return list(groups.values())


def _study(study: tuner.Study, decay: str) -> tuner.Study:
    def schedule(hyperparams, max_train_steps):
        return tuner.warmup_constant_decay(
            hyperparams.learning_rate, max_train_steps, decay_fraction=0.3, decay=decay
        )

    return dataclasses.replace(study, schedule=schedule)
