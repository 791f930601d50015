"""P8: a second round of 8 trials, 4 x longer, in the program of the first round's 64.

`LengthenConstant` shares all steps up to the decay, so a promoted trial begins there;
and eight trials should cost what eight trials cost, not sixty-four.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import tuner
from benchmarks.ours import make_study, run_study
from benchmarks.results import Figure, Findings, Scale
from benchmarks.timing import Contender, Measured, in_turns
from benchmarks.workloads import load
from tuner.lanes.layout import num_cores
from tuner.rounds.display import Silent, Standing


def second_round(scale: Scale) -> Findings:
    """Steps executed and time of a trial-step, against the first round."""
    trials, keep, steps = scale.of(64, 8), scale.of(8, 2), scale.of(1000, 500)
    contender = Contender(
        name="tuner",
        make=make_rounds,
        arguments={"workload": "mlp", "trials": trials, "keep": keep, "steps": steps},
        devices=num_cores(),
    )
    turns = in_turns([contender], scale.repeats, apart=not scale.quick)
    notes = [turn.notes for turn in turns["tuner"]]
    return Findings(
        title=f"{load('mlp').title}, {trials} trials x {steps} steps, "
        f"then {keep} x {4 * steps}",
        figures=[
            Figure(
                number="P8",
                claim="steps of round 2 that its trials' first round had executed",
                values=[n["executed_twice"] for n in notes],
                most=0,
                unit="",
            ),
            Figure(
                number="P8",
                claim="time of a trial-step, round 2 to round 1",
                values=[
                    n["seconds_per_step"][1] / n["seconds_per_step"][0] for n in notes
                ],
                most=1.25,
            ),
        ],
        turns=turns,
    )


def make_rounds(
    workload: str, trials: int, keep: int, steps: int
) -> Callable[[], Measured]:
    """Two rounds; the first run is for all to be warm."""
    longer = tuner.Round(
        keep=keep, max_train_steps=4 * steps, extend=tuner.LengthenConstant()
    )
    study = make_study(load(workload), trials, steps)
    study = dataclasses.replace(study, rounds=[*study.rounds, longer])

    def run():
        watch = Watch()
        return run_study(study, watch, lambda run: _of_rounds(run, watch))

    run()
    return run


class Watch(Silent):
    """When training began, and when each round had ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def compiled(self, group: str, seconds: float) -> None:
        """The program is there."""
        self.times.append(time.perf_counter())

    def ended(self, standing: Standing) -> None:
        """A round is over."""
        self.times.append(time.perf_counter())


def _of_rounds(run: tuner.Run, watch: Watch) -> dict[str, Any]:
    """What each round executed, and how long it took."""
    trials = run.trials
    executed = trials["step"] - trials["start_step"]
    steps = [int(executed.filter(trials["round"] == number).sum()) for number in (1, 2)]
    begun, first, second = watch.times
    children = trials.filter(trials["round"] == 2)
    # The prefix is shared up to the decay, which is as long as it was in round 1.
    decay = children["schedule.decay_steps"][0]
    shared = trials.filter(trials["round"] == 1)["max_train_steps"][0] - decay
    return {
        "steps": steps,
        "executed_twice": int((shared - children["start_step"]).sum()),
        "seconds_per_step": [(first - begun) / steps[0], (second - first) / steps[1]],
    }
