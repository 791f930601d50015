"""Python loops around a jitted step: by itself, and as Optuna calls it.

The rates are traced, so that nothing compiles again; params and optimizer state are
donated; the keys are split beforehand; nothing is read but an evaluation every 50
steps. That is the lean loop. Optuna's other two variants read what `tuner` records, and
compile each trial's rates in, as happens when an optimizer is made outside of what is
traced.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing import Measured
from benchmarks.workloads import (
    DECAYS,
    EVAL_EVERY,
    RATES,
    Workload,
    begin,
    load,
    update,
)


@dataclasses.dataclass(frozen=True)
class Loop:
    """The jitted functions of a loop.

    Attributes:
        step: `(params, state, key, rate, decay, data) -> (params, state, metrics)`,
            metrics [4] where they are recorded.
        evaluate: `(params, data) -> share of errors`.
    """

    begin: Callable[..., Any]
    split: Callable[..., Any]
    step: Callable[..., Any]
    evaluate: Callable[..., Any]
    train: Any
    valid: Any

    def errors(
        self, number: int, rate: float, decay: float, curve: list[Any] | None = None
    ) -> Iterator[float]:
        """Trains trial `number`; yields the error of every evaluation.

        Args:
            number: what its randomness comes from.
            rate: learning rate.
            decay: weight decay.
            curve: where given, the metrics of every step are added, on the host.
        """
        init_key, steps_key = jax.random.split(jax.random.key(number))
        params, state = self.begin(init_key)
        unread = []
        for count, key in enumerate(list(self.split(steps_key)), start=1):
            params, state, metrics = self.step(
                params, state, key, rate, decay, self.train
            )
            if curve is not None:
                unread.append(metrics)
            if count % EVAL_EVERY == 0:
                yield float(self.evaluate(params, self.valid))
                if curve is not None:
                    curve += jax.device_get(unread)
                    unread.clear()


def make_functions(workload: Workload, steps: int, *, recording: bool = False) -> Loop:
    """The loop's functions, on the default device."""

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state, key, rate, decay, data):
        *carry, metrics = update(workload, params, state, key, rate, decay, data)
        chosen = list(metrics.values()) if recording else [metrics["loss"]]
        return *carry, jnp.stack(chosen)

    return Loop(
        begin=jax.jit(lambda key: begin(workload, key)),
        split=jax.jit(lambda key: jax.random.split(key, steps)),
        step=step,
        evaluate=jax.jit(lambda params, data: workload.loss(params, data)[1]),
        train=jax.device_put(workload.train),
        valid=jax.device_put(workload.valid),
    )


def make_loop(workload: str, trials: int, steps: int) -> Callable[[], Measured]:
    """A plain Python loop over trials and steps."""
    loop = make_functions(load(workload), steps)
    rates, decays = np.geomspace(*RATES, trials), np.geomspace(*DECAYS, trials)

    def run():
        started = time.perf_counter()
        for number, (rate, decay) in enumerate(zip(rates, decays, strict=True)):
            min(loop.errors(number, rate, decay))
        return Measured(steps=trials * steps, seconds=time.perf_counter() - started)

    next(loop.errors(0, 1e-3, 1e-3))
    return run


def make_optuna(
    workload: str,
    trials: int,
    steps: int,
    *,
    recording: bool = False,
    compiled_in: bool = False,
) -> Callable[[], Measured]:
    """A study of Optuna's around the loop.

    Args:
        workload: its name.
        trials: their number.
        steps: of each.
        recording: bring the metrics of every step to the host, and keep them.
        compiled_in: a new jitted step for each trial, its rates constants.
    """
    import optuna  # an extra

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    declared = load(workload)
    loop = make_functions(declared, steps, recording=recording)

    def objective(trial):
        rate = trial.suggest_float("learning_rate", *RATES, log=True)
        decay = trial.suggest_float("weight_decay", *DECAYS, log=True)
        mine = _compiled_in(loop, declared, rate, decay) if compiled_in else loop
        curve = [] if recording else None
        best = 1.0
        for count, error in enumerate(mine.errors(trial.number, rate, decay, curve)):
            trial.report(error, (count + 1) * EVAL_EVERY)
            best = min(best, error)
        if curve is not None:
            trial.set_user_attr("curve", np.stack(curve).tolist())
        return best

    def run(count=trials):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        started = time.perf_counter()
        study.optimize(objective, n_trials=count)
        seconds = time.perf_counter() - started
        first, last = study.trials[0], study.trials[-1]
        later = (last.datetime_complete - first.datetime_complete).total_seconds()
        return Measured(
            steps=count * steps, seconds=seconds, notes={"after_first": later}
        )

    return run


def warm_optuna(**arguments: Any) -> Callable[[], Measured]:
    """The same, one trial of it run beforehand."""
    run = make_optuna(**arguments)
    run(1)
    return run


def _compiled_in(loop: Loop, workload: Workload, rate: float, decay: float) -> Loop:
    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state, key, _rate, _decay, data):
        *carry, metrics = update(workload, params, state, key, rate, decay, data)
        return *carry, metrics["loss"]

    return dataclasses.replace(loop, step=step)
