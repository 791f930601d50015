"""What a run says, in the two or three sentences that stand first on its page."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tuner.analysis.ranking import BROKEN
from tuner.report.markup import Html, element, join
from tuner.report.material import Material
from tuner.report.words import count, distance, listed, short, shown

Row = Mapping[str, Any]


def answer(material: Material) -> Html:
    """Which scientific combination won, by how much, on what, of how many trials."""
    if material.ranked.is_empty():
        return join(_nothing(material.trials))
    if len(material.series) == 1:
        return _best_trial(material)
    rows = material.combinations.to_dicts()
    judged = [row for row in rows if row["trial"] is not None]
    missing = [row for row in rows if row["trial"] is None]
    return join(
        *_ranking(material, judged),
        _effort(material, rows),
        _missing(material, missing),
    )


def caveat(material: Material) -> str:
    """What the answer cannot say."""
    is_repeated = material.trials["replicate"].n_unique() > 1
    if len(material.series) == 1 or material.ranked.is_empty() or is_repeated:
        return ""
    return (
        "Every configuration was trained with one seed: a difference within the noise "
        "of retraining decides nothing."
    )


def _nothing(trials: pl.DataFrame) -> str:
    broken = trials.filter(pl.col("status").is_in(BROKEN)).height
    if broken and broken == trials.height:
        return f"All {count(broken, 'trial')} broke: there is nothing to compare."
    return "No trial has a result yet."


def _best_trial(material: Material) -> Html:
    """Without combinations to compare: the best trial, and what it was trained with."""
    best = material.ranked.row(0, named=True)
    values = [
        f"{name} {short(best[f'hp.{name}'])}"
        for name in material.searched
        if best[f"hp.{name}"] is not None
    ]
    return join(
        element("strong", f"Trial {best['trial']} is the best"),
        f" of {count(material.trials.height)} with {material.metric} ",
        element("strong", shown(best["best_objective"], material.form)),
        f" at step {count(best['best_step'])} of {count(best['max_train_steps'])}",
        f", {listed(values)}." if values else ".",
    )


def _ranking(material: Material, judged: Sequence[Row]) -> list[str]:
    winners = [row for row in judged if row["tied"]]
    others = judged[len(winners) :]
    names = listed([_name(material, row) for row in winners])
    verb, preposition = _verb(material, len(winners))
    said = [
        element("strong", f"{names} {verb}"),
        f" {preposition} {material.metric} ",
        element("strong", shown(winners[0]["best_objective"], material.form)),
    ]
    if others:
        margin = distance(others[0]["behind"], material.form)
        value = shown(others[0]["best_objective"], material.form)
        said.append(f", {margin} ahead of {_name(material, others[0])} ({value})")
    return [*said, ". ", _tie_break(material, winners)]


def _verb(material: Material, num_winners: int) -> tuple[str, str]:
    if num_winners > 1:
        return ("tie" if material.is_over else "tie so far"), "at"
    return ("wins" if material.is_over else "leads so far"), "with"


def _tie_break(material: Material, winners: Sequence[Row]) -> str:
    """What the loss says where the objective does not."""
    if len(winners) < 2 or material.loss is None:
        return ""
    if not winners[0]["tie"] < winners[1]["tie"]:
        return ""
    first, *others = [
        f"{_name(material, row)} ({shown(row['tie'], material.loss_form)})"
        for row in winners
    ]
    return f"By {material.loss} at that step {first} is ahead of {listed(others)}. "


def _effort(material: Material, rows: Sequence[Row]) -> str:
    """How many trials each had: a fair comparison gives all the same."""
    numbers = [row["num_trials"] for row in rows]
    if len(set(numbers)) == 1:
        return f"Each is the best of {count(numbers[0], 'trial')}."
    return f"They are the best of {min(numbers)} to {max(numbers)} trials each."


def _missing(material: Material, rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    names = [_name(material, row) for row in rows]
    return f" No trial of {listed(names, conjunction='or')} has a result."


def _name(material: Material, row: Row) -> str:
    return material.series[row["combination"]].label
