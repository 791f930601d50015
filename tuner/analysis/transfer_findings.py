"""Findings on what short runs may decide: playbook C13, D2, D7, D8 and D9."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from tuner.analysis.adoption import Adoption, compare_with_baseline
from tuner.analysis.configurations import with_own_results
from tuner.analysis.expectations import FALLS, expectation, expected_factor
from tuner.analysis.extensions import compare_extensions
from tuner.analysis.finding import Finding
from tuner.analysis.shifts import Shift
from tuner.analysis.staleness import Change, budget_conditions, changed_conditions
from tuner.analysis.telling import correlations, listed, missed, moved, named, recheck
from tuner.analysis.transfer import Transfer, transfers

WAYS = {"more": "more steps", "fewer": "fewer steps", "either way": "more or fewer"}


def transfer_findings(
    trials: pl.DataFrame,
    definition: Mapping[str, Any],
    evaluations: pl.DataFrame | None = None,
) -> Iterator[Finding]:
    """What the run says about its step budgets and about what they may decide.

    Args:
        trials: the run's.
        definition: what `study.json` says.
        evaluations: whole curves; without them a promoted trial's best may lie in what
            it shares with its parent.
    """
    study = definition["study"]
    objective = study["objective"]
    maximize = objective["direction"] == "maximize"
    yield from _stale(definition)
    if trials.is_empty():
        return
    yield from _production(trials, study)
    yield from _adoption(compare_with_baseline(trials, maximize=maximize))
    if trials["round"].n_unique() < 2:
        return
    own = trials
    if evaluations is not None:
        metric = objective["metric"]
        own = with_own_results(trials, evaluations, metric, maximize=maximize)
    for found in transfers(own, study["space"], maximize=maximize):
        if found.long - found.short == 1:
            yield from _transfer(found, study["space"])
    yield from _rules(compare_extensions(trials, maximize=maximize))


def _stale(definition: Mapping[str, Any]) -> Iterator[Finding]:
    """Where a budget was set under other conditions: by another study, or a round."""
    now = budget_conditions(definition)
    origin = definition.get("budget")
    if origin:
        yield from _changed(
            origin["from"], changed_conditions(origin["conditions"], now)
        )
    rounds = definition["study"]["rounds"]
    for number in range(2, len(rounds) + 1):
        before, after = (
            budget_conditions(definition, each) for each in (number - 1, number)
        )
        yield from _changed(
            f"round {number - 1}", changed_conditions(before, after), number
        )


def _changed(
    origin: str, changes: list[Change], number: int | None = None
) -> Iterator[Finding]:
    if not changes:
        return
    said = "; ".join(
        f"{c.name} was {c.before} and is {c.now}: {WAYS[c.steps]}, for {c.reason}"
        for c in changes
    )
    yield Finding(
        id="D2",
        subject=f"max_train_steps of round {number}" if number else "max_train_steps",
        text=f"The number of steps was set under the conditions of {origin}, which "
        f"have changed since. {said}.",
        remedy="Look at the best steps anew before you rely on it, and when in doubt "
        "train longer.",
    )


def _transfer(found: Transfer, space: Mapping[str, Any]) -> Iterator[Finding]:
    steps = f"{found.short_steps:,} to {found.long_steps:,} steps"
    again = recheck(found, space)
    if found.agreement is not None and found.agreement.verdict == "reversed":
        yield Finding(
            id="D8",
            subject=f"round {found.short} to {found.long}",
            text=f"From {steps} the order of configurations was reversed: "
            f"{correlations(found.agreement)}, {found.num_pairs} configurations.",
            remedy="Do not choose by such short runs; make the first round longer, and "
            f"search {listed(again)} again.",
        )
    if found.regret is not None and found.regret.is_missing_some:
        yield Finding(
            id="D8",
            subject=f"round {found.short} to {found.long}",
            text=f"From {steps}: {missed(found)}",
            remedy="Keep more, or make the first round longer.",
        )
    for shift in found.shifts:
        if shift.is_told:
            yield _moved(found, shift, space[shift.name], steps)


def _moved(
    found: Transfer, shift: Shift, domain: Mapping[str, Any], steps: str
) -> Finding:
    expected = ""
    if expectation(shift.name, domain) == FALLS:
        factor = expected_factor(found.short_steps, found.long_steps)
        fell = "as expected" if shift.shift < 0 else "though it was expected to fall"
        expected = f" {fell} (large language models: times {factor:.2f})"
    way = "higher" if shift.shift > 0 else "lower"
    return Finding(
        id="D8",
        subject=named(shift),
        text=f"From {steps} its best region moved{expected}: {moved(shift)}, by "
        f"{shift.shift:+.2f} of its range ({shift.low:+.2f} to {shift.high:+.2f}).",
        remedy=f"What was best in short runs is not for long ones: search {way} in the "
        "next round.",
    )


def _rules(compared: pl.DataFrame) -> Iterator[Finding]:
    for row in compared.filter(pl.col("verdict") != "cannot tell").to_dicts():
        lost = row["other"] if row["verdict"] == row["rule"] else row["rule"]
        yield Finding(
            id="D9",
            subject=lost,
            text=f"On the same {row['num_parents']} trials of round {row['round']} it "
            f"did worse than {row['verdict']}, by {abs(row['difference']):.3g} "
            f"({_span(row['low'], row['high'])}).",
            remedy=f"Extend by {row['verdict']} in the next round.",
        )


def _adoption(found: Adoption | None) -> Iterator[Finding]:
    if found is None:
        return
    best = found.candidates[0]
    if best.verdict == "adopt":
        return
    runs = f"{len(best.values)} runs with fresh seeds against {len(found.values)}"
    known = best.low is not None and best.high is not None
    span = f" ({best.low:+.3g} to {best.high:+.3g})" if known else ""
    worse = best.verdict == "keep the baseline"
    text = "is worse than" if worse else "cannot be told from"
    more = f": {best.enough} runs of each might tell" if best.enough else ""
    yield Finding(
        id="C13",
        subject=f"trial {best.trial}",
        text=f"The best candidate {text} the baseline, trial {found.baseline}: "
        f"{best.difference:+.3g}{span}, {runs}.",
        remedy="Keep the baseline" + ("." if worse else f", or add seeds{more}."),
    )


def _production(trials: pl.DataFrame, study: Mapping[str, Any]) -> Iterator[Finding]:
    """What share of production length the longest finished runs have."""
    production = study.get("production_steps")
    longest = trials.filter(status="complete")["max_train_steps"].max()
    if not production or not isinstance(longest, int) or longest >= production:
        return
    yield Finding(
        id="D7",
        subject="production_steps",
        text=f"All conclusions rest on runs of at most {longest:,} of "
        f"{production:,} steps, {longest / production:.0%} of production length: they "
        "may not hold beyond.",
        remedy="Carry the very best on to a longer round before you rely on them: "
        f"tuner promote DIR --keep 4 --steps {min(production, 4 * longest)}.",
    )


def _span(low: float, high: float) -> str:
    """An interval that does not hold 0, its sign left out."""
    near, far = sorted((abs(low), abs(high)))
    return f"{near:.3g} to {far:.3g}"
