"""What is said of a run in lines: where it stands, what it has cost."""

import collections
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from tuner.rounds.budget import Budget
from tuner.rounds.wording import amount, count, duration, number
from tuner.runs import Run
from tuner.store import database
from tuner.study.stopping import described_target

INPUT_BOUND = 0.1  # of the time spent waiting for batches: worth telling


def standing(run: Run) -> str:
    """The study, its rounds and the best trial so far."""
    study, trials, ranked = run.definition["study"], run.trials, run.ranked
    facts = {study["name"]: study["goal"], "status": f"{run.status}, {_committed(run)}"}
    for round_ in range(1, len(study["rounds"]) + 1):
        facts[f"round {round_}"] = _statuses(trials.filter(round=round_))
    if goal := described_target(study):
        reached = "reached" if run.has_reached(goal) else "not reached yet"
        facts["target"] = f"{number(goal.objective)}, {reached}"
    facts["best"] = result(ranked.row(0, named=True), study) if ranked.height else ""
    return aligned(facts)


def costs(figures: Mapping[str, Any], trials: pl.DataFrame) -> str:
    """What a run has cost: what was done, compiled, trained and computed, a line each.

    Args:
        figures: the run's.
        trials: with the columns `start_step` and `status`.
    """
    figures = collections.defaultdict(int, figures)  # one that was cut off has none
    what = {
        "done": _done(figures, trials),
        "compiled": _compiled(figures),
        "trained": _trained(figures),
        "computed": _computed(figures),
    }
    return aligned(what)


def result(trial: Mapping[str, Any], study: Mapping[str, Any]) -> str:
    """A trial's best objective, and where it was.

    Args:
        trial: its row.
        study: the study's description.
    """
    objective = f"{study['objective']['metric']} {number(trial['best_objective'])}"
    steps = f"step {trial['best_step']:,} of {trial['max_train_steps']:,}"
    return f"trial {trial['trial']} of round {trial['round']}, {objective} at {steps}"


def aligned(facts: Mapping[str, str]) -> str:
    """Facts a line each, after their names."""
    width = max(map(len, facts))
    return "\n".join(f"{name:{width}}  {text}".rstrip() for name, text in facts.items())


def with_budget(arguments: Sequence[str], budget: Budget) -> Iterator[str]:
    """The arguments of a command with another `--budget`, at its place.

    Args:
        arguments: with `--budget TEXT` or `--budget=TEXT` among them.
        budget: in its stead.
    """
    before = ""
    for argument in arguments:
        if before == "--budget":
            yield str(budget)
        else:
            given = argument.startswith("--budget=")
            yield f"--budget={budget}" if given else argument
        before = argument


def _committed(run: Run) -> str:
    changed = (run.directory / database.NAME).stat().st_mtime
    time = datetime.datetime.fromtimestamp(changed)
    return f"last commit {time:%Y-%m-%d %H:%M:%S}"


def _statuses(trials: pl.DataFrame) -> str:
    """`63 trials: 60 complete, 3 diverged`."""
    if trials.is_empty():
        return "not begun"
    counts = trials["status"].value_counts(sort=True).rows()
    listed = ", ".join(f"{n:,} {status}" for status, n in counts)
    return f"{count(trials.height, 'trial')}: {listed}"


def _done(figures: Mapping[str, Any], trials: pl.DataFrame) -> str:
    shared = trials["start_step"].sum()
    more = f" and {shared:,} shared" if shared else ""
    failed = trials.filter(status="failed").height
    lost = f" ({failed:,} of them failed)" if failed else ""
    return ", ".join(
        [
            count(trials.height, "trial") + lost,
            count(figures["trial_steps"], "step") + more,
            count(figures["examples"], "example"),
            f"in {duration(figures['seconds'])}",
        ]
    )


def _compiled(figures: Mapping[str, Any]) -> str:
    parts = [
        f"{count(figures['programs'], 'program')} in "
        f"{duration(figures['compile_seconds'])}",
        f"{count(figures['compilations'], 'compilation')}, "
        f"{figures['compilations_from_cache']:,} of them from the cache",
    ]
    if figures["calibration_compilations"]:
        parts.append(
            f"{figures['calibration_compilations']:,} more to calibrate, in "
            f"{duration(figures['calibration_seconds'])}"
        )
    return "; ".join(parts)


def _trained(figures: Mapping[str, Any]) -> str:
    waiting = figures.get("share_waiting", 0.0)  # no figure of an older version
    is_bound = waiting >= INPUT_BOUND
    return (
        f"{figures['trial_steps_per_second']:,.0f} trial-steps/s, "
        f"{figures['examples_per_second']:,.0f} examples/s, "
        f"in {duration(figures['train_seconds'])}; lanes occupied "
        f"{figures['lanes_in_use']:.0%}, of those computed {figures['occupancy']:.0%}"
        + f"; input-bound, {waiting:.0%} of it waiting for batches"
        * is_bound
    )


def _computed(figures: Mapping[str, Any]) -> str:
    peak = figures["peak_flops"] / max(figures["train_seconds"], 1e-9)
    return (
        f"{amount(figures['flops'], 'FLOP')}, "
        f"{amount(figures['flops_per_trial_step'], 'FLOP')} a trial-step; "
        f"{figures['share_of_peak']:.1%} of the measured peak of "
        f"{amount(peak, 'FLOP/s')}; "
        f"{amount(figures['bytes_to_devices'], 'B')} to the devices, "
        f"{amount(figures['bytes_to_host'], 'B')} back"
    )
