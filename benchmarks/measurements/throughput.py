"""P1, P3, P4, P5, P9: trial-steps a second, by `tuner` and by others.

Everybody is warm: what has to be compiled was compiled before. The sizes of others are
smaller where they are slow; a speed does not depend on how long it was measured.
"""

from typing import Any

import jax

from benchmarks import workloads
from benchmarks.fused import make_fused
from benchmarks.loops import make_loop, make_optuna, warm_optuna
from benchmarks.others import make_hyperoptax, make_ray
from benchmarks.ours import make_engine, make_tuner
from benchmarks.results import Figure, Findings, Scale, Unavailable
from benchmarks.timing import Contender, Turns, in_turns, ratios
from tuner.lanes.layout import num_cores

STEPS = 500


def mlp(scale: Scale) -> Findings:
    """P1: against other tuners; lean, recording, and compiling each trial."""
    trials, size = scale.of(512, 8), {"steps": scale.of(STEPS, 50)}
    contenders = [
        _tuner("mlp", trials, **size),
        _optuna("Optuna, lean", scale.of(48, 1), **size),
        _optuna("Optuna, recording", scale.of(32, 1), **size, recording=True),
        Contender(
            name="Optuna, rates compiled in",
            make=make_optuna,
            arguments=_sizes("mlp", scale.of(4, 1), **size) | {"compiled_in": True},
            needs="optuna",
        ),
        Contender(
            name="Ray Tune, two workers",
            make=make_ray,
            arguments=_sizes("mlp", scale.of(48, 4), **size),
            needs="ray",
        ),
        Contender(
            name="hyperoptax",
            make=make_hyperoptax,
            arguments=_sizes("mlp", scale.of(256, 4), **size) | {"width": 4},
            needs="hyperoptax",
        ),
    ]
    turns = in_turns(contenders, scale.repeats, apart=not scale.quick)
    targets = {"Optuna, lean": 25, "Ray Tune, two workers": 60}
    return Findings(
        title=f"{_title('mlp')}, {trials} trials x {size['steps']} steps",
        figures=[
            _ratio("P1", turns, "tuner", name, targets.get(name))
            for name in turns
            if name != "tuner"
        ],
        turns=turns,
    )


def fused(scale: Scale) -> Findings:
    """P3: against hand-written loops; and what recording and commits cost."""
    trials, steps = scale.of(512, 32), scale.of(STEPS, 50)
    bare, recording = "fused loop", "fused loop, metrics"
    contenders = [
        _tuner("mlp", trials, steps),
        Contender(
            name="engine alone",
            make=make_engine,
            arguments=_sizes("mlp", trials, steps),
            devices=num_cores(),
        ),
        _fused(bare, "mlp", trials // 2, steps, width=8),
        _fused(recording, "mlp", trials // 2, steps, width=8, recording=True),
    ]
    turns = in_turns(contenders, scale.repeats, apart=not scale.quick)
    shares = [1 - r for r in ratios(turns["tuner"], turns["engine alone"])]
    return Findings(
        title=f"{_title('mlp')}, {trials} trials x {steps} steps",
        figures=[
            _ratio("P3", turns, "tuner", bare, 0.8),
            _ratio("P3", turns, "tuner", recording, 0.9),
            Figure(
                number="P1",
                claim="share of the time for recording and commits",
                values=shares,
                most=0.1,
                unit="",
            ),
            _ratio("P3", turns, "engine alone", recording),
        ],
        turns=turns,
    )


def transformer(scale: Scale) -> Findings:
    """P4: against the Python loop."""
    return _against_the_loop(scale, "P4", "transformer", 2.5, trials=16, steps=50)


def cnn(scale: Scale) -> Findings:
    """P5: against the Python loop; the hand-written vmap is the case that loses.

    Raises:
        Unavailable: where the data is not installed.
    """
    if not workloads.FASHION.exists():
        raise Unavailable("apt-get install dataset-fashion-mnist")
    return _against_the_loop(scale, "P5", "cnn", 2.0, trials=32, steps=50)


def gpu(scale: Scale) -> Findings:
    """P9: the MLP of P1 in 1,024 lanes; only where JAX sees a GPU.

    Raises:
        Unavailable: where it does not.
    """
    if jax.default_backend() != "gpu" and not scale.quick:
        raise Unavailable("JAX sees no GPU")
    trials, steps = scale.of(2048, 8), scale.of(STEPS, 50)
    contenders = [
        _tuner("mlp", trials, steps, layout=f"1x1x{scale.of(1024, 4)}"),
        _fused("fused loop", "mlp", trials, steps, width=scale.of(1024, 4)),
        _loop("mlp", scale.of(8, 1), steps),
    ]
    turns = in_turns(contenders, scale.repeats, apart=not scale.quick)
    return Findings(
        title=f"{_title('mlp')}, 1,024 lanes on a GPU",
        figures=[
            _ratio("P9", turns, "tuner", "Python loop", 100),
            _ratio("P9", turns, "tuner", "fused loop", 0.85),
        ],
        turns=turns,
    )


def _against_the_loop(
    scale: Scale, number: str, workload: str, least: float, *, trials: int, steps: int
) -> Findings:
    trials, steps = scale.of(trials, 8), scale.of(steps, 50)
    contenders = [
        _tuner(workload, trials, steps),
        _loop(workload, scale.of(4, 1), steps),
        _fused("fused loop, no vmap", workload, 8, steps, width=1),
        _fused("fused loop, vmap of 4", workload, 8, steps, width=4),
    ]
    turns = in_turns(contenders, scale.repeats, apart=not scale.quick)
    loop = "Python loop"
    return Findings(
        title=f"{_title(workload)}, {trials} trials x {steps} steps",
        figures=[
            _ratio(number, turns, name, loop, least if name == "tuner" else None)
            for name in turns
            if name != loop
        ],
        turns=turns,
    )


def _ratio(number: str, turns: Turns, ours: str, theirs: str, least=None) -> Figure:
    return Figure(
        number=number,
        claim=f"{ours} to {theirs}",
        values=ratios(turns[ours], turns[theirs]),
        least=least,
    )


def _tuner(workload: str, trials: int, steps: int, **more: Any) -> Contender:
    return Contender(
        name="tuner",
        make=make_tuner,
        arguments=_sizes(workload, trials, steps) | more,
        devices=num_cores(),
    )


def _fused(name: str, workload: str, trials: int, steps: int, **more: Any) -> Contender:
    return Contender(
        name=name,
        make=make_fused,
        arguments=_sizes(workload, trials, steps) | more,
        devices=num_cores(),
    )


def _loop(workload: str, trials: int, steps: int) -> Contender:
    arguments = _sizes(workload, trials, steps)
    return Contender(name="Python loop", make=make_loop, arguments=arguments)


def _optuna(name: str, trials: int, steps: int, **more: Any) -> Contender:
    arguments = _sizes("mlp", trials, steps) | more
    return Contender(name=name, make=warm_optuna, arguments=arguments, needs="optuna")


def _sizes(workload: str, trials: int, steps: int) -> dict[str, Any]:
    return {"workload": workload, "trials": trials, "steps": steps}


def _title(workload: str) -> str:
    return workloads.load(workload).title
