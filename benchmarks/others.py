"""Ray Tune with two workers, and hyperoptax: as their documents show their use.

Both are extras, and are imported when they take part.
"""

import functools
import io
import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any

import jax

from benchmarks.fused import make_trial
from benchmarks.loops import Loop, make_functions
from benchmarks.timing import Measured
from benchmarks.workloads import DECAYS, EVAL_EVERY, RATES, load

WORKERS = 2


def make_ray(workload: str, trials: int, steps: int) -> Callable[[], Measured]:
    """Ray Tune around the lean loop: two workers of one core, reused for all trials.

    The seconds are those after both workers have ended their first trial, and so have
    imported and compiled all they need; `as_called` in the notes is the speed of the
    whole call.
    """
    import ray
    from ray import tune

    def train(config):
        loop = _functions(workload, steps)
        for error in loop.errors(config["number"], config["rate"], config["decay"]):
            tune.report({"error": error, "ended": time.time()})

    space = {
        "number": tune.randint(0, 2**31 - 1),
        "rate": tune.loguniform(*RATES),
        "decay": tune.loguniform(*DECAYS),
    }

    def run():
        ray.init(
            num_cpus=WORKERS,
            include_dashboard=False,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
        with tempfile.TemporaryDirectory() as directory, redirect_stdout(io.StringIO()):
            started = time.time()
            results = tune.Tuner(
                tune.with_resources(train, {"cpu": 1}),
                param_space=space,
                tune_config=tune.TuneConfig(
                    num_samples=trials, metric="error", mode="min", reuse_actors=True
                ),
                run_config=tune.RunConfig(storage_path=directory, verbose=0),
            ).fit()
            seconds = time.time() - started
        ray.shutdown()
        return _of_warm_workers([r.metrics_dataframe for r in results], steps, seconds)

    return run


def make_hyperoptax(
    workload: str, trials: int, steps: int, *, width: int
) -> Callable[[], Measured]:
    """Hyperoptax's random search: trials vmapped `width` at a time, on one device.

    It asks for one number a trial, the last evaluation's error; it keeps no curve.
    """
    import hyperoptax

    declared = load(workload)
    data = jax.device_put((declared.train, declared.valid))
    train = make_trial(declared, steps, recording=False)

    @jax.jit
    def objective(key, config):
        params = train(key, config["rate"], config["decay"], data)[0]
        return declared.loss(params, data[1])[1]

    space = {
        "rate": hyperoptax.LogSpace(*RATES),
        "decay": hyperoptax.LogSpace(*DECAYS),
    }

    def run(count=trials):
        state, search = hyperoptax.RandomSearch.init(space, n_parallel=width)
        started = time.perf_counter()
        key = jax.random.key(0)
        jax.block_until_ready(search.optimize(state, key, objective, count // width)[1])
        seconds = time.perf_counter() - started
        return Measured(steps=count * steps, seconds=seconds, notes={"width": width})

    run(width)
    return run


@functools.cache
def _functions(workload: str, steps: int) -> Loop:
    """Once a worker: its trials share what is compiled."""
    return make_functions(load(workload), steps)


def _of_warm_workers(curves: Sequence[Any], steps: int, seconds: float) -> Measured:
    """What was trained after every worker's first trial; curves are pandas frames."""
    first_ends: dict[int, float] = {}
    for curve in curves:
        pid, ended = curve["pid"].iloc[-1], curve["ended"].iloc[-1]
        first_ends[pid] = min(ended, first_ends.get(pid, ended))
    ends = sorted(end for curve in curves for end in curve["ended"])
    begun = max(first_ends.values())
    return Measured(
        steps=EVAL_EVERY * sum(end > begun for end in ends),
        seconds=ends[-1] - begun,
        notes={
            "workers": len(first_ends),
            "as_called": len(curves) * steps / seconds,
        },
    )
