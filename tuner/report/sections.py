"""The parts of the page, in the order they are read."""

import polars as pl

from tuner.analysis.ranking import BROKEN
from tuner.report.answer import answer, caveat
from tuner.report.blocks import chip, grid, section, terms
from tuner.report.curves import MAX_ROWS, curves, schedules
from tuner.report.markup import Html, element
from tuner.report.material import NUM_FAMILIES, Material
from tuner.report.panels import panels
from tuner.report.provenance import reproduce, where_it_lies
from tuner.report.steps import said_of_steps, steps_drawn
from tuner.report.tables import best_trials, promoted_trials, verdict
from tuner.report.transfer import (
    adopted,
    every_run,
    foretold,
    rules_compared,
    verdict_on,
)
from tuner.report.words import count


def sections(material: Material) -> list[Html]:
    """The whole page but its frame; a part without content is left out."""
    parts = [
        opening(material),
        found(material),
        best(material),
        longer(material),
        adoption(material),
        how_long(material),
        transfer(material),
        rules(material),
        against_hyperparameters(material),
        step_by_step(material),
        before_and_after(material),
        reproduce(material),
        where_it_lies(material),
    ]
    return [part for part in parts if part]


def opening(material: Material) -> Html:
    """The question, the answer, and what it took."""
    notes = [_unfinished(material), caveat(material)]
    return element(
        "header",
        element("h1", material.study["name"]),
        element("p", material.study["goal"], class_="goal"),
        element("p", answer(material), class_="answer"),
        *[element("p", note, class_="note") for note in notes if note],
        terms(_figures(material), "figures"),
    )


def found(material: Material) -> Html:
    """The findings, each with its remedy."""
    if not material.findings:
        nothing = (
            "Looked for and not found: best values at an end of their range, many "
            "broken trials, too few evaluations."
        )
        return section("Findings", nothing)
    items = [
        element(
            "li",
            element("p", element("strong", each.subject), ": ", each.text),
            element("p", f"{each.remedy} ({each.id})", class_="note"),
        )
        for each in material.findings
    ]
    return section("Findings", None, element("ul", *items, class_="findings"))


def best(material: Material) -> Html | None:
    """The best trials."""
    if material.ranked.is_empty():
        return None
    left_out = "One whose best step was its parent's is left out."
    said = left_out if material.promoted.height else None
    return section("The best trials", said, best_trials(material))


def longer(material: Material) -> Html | None:
    """What the promoted trials gained, or lost."""
    if material.promoted.is_empty():
        return None
    said = (
        f"{verdict(material.promoted)} A promoted trial goes on from before its "
        "parent's rate decays, so it can end worse than its parent did."
    )
    return section("What longer training gave", said, promoted_trials(material))


def how_long(material: Material) -> Html | None:
    """Whether longer training would help, and where in their runs trials were best."""
    if material.steps.shares.is_empty():
        return None
    return section(
        "How long to train",
        None,
        *said_of_steps(material),
        grid(steps_drawn(material), "medium"),
    )


def adoption(material: Material) -> Html | None:
    """Whether anything is better than the baseline, every run drawn."""
    found = material.adoption
    if found is None:
        return None
    return section(
        "Better than the baseline?",
        verdict_on(found.candidates[0], found, material.form),
        *adopted(material, found),
        grid([every_run(material, found)], "medium"),
    )


def transfer(material: Material) -> Html | None:
    """What short runs foretold of long ones."""
    if not any(found.num_pairs for found in material.transfers):
        return None
    return section("What short runs foretold", None, *foretold(material))


def rules(material: Material) -> Html | None:
    """Rules of extension on the same parents."""
    parts = rules_compared(material)
    if not parts:
        return None
    said = (
        f"Differences in {material.metric}, the mean over trials that were extended "
        "under both rules. The intervals of a round hold together."
    )
    return section("Rules of extension, side by side", said, *parts)


def against_hyperparameters(material: Material) -> Html | None:
    """A panel for each searched hyperparameter."""
    drawings = panels(material)
    if not drawings:
        return None
    edge = "bottom" if material.maximize else "top"
    said = (
        f"{material.metric} at each trial's best step. Trials that broke, or did worse "
        f"than the axis reaches, lie at the {edge} edge."
    )
    title = "The objective against each hyperparameter"
    return section(title, said, _key(material), grid(drawings, "small"))


def step_by_step(material: Material) -> Html | None:
    """The curves of the best trials."""
    drawings = curves(material)
    if not drawings:
        return None
    whose = "of each combination" if len(material.series) > 1 else "of all"
    said = (
        f"The best {whose}, at most {NUM_FAMILIES}. A dot marks the best step; a curve "
        "is faint where its learning rate decays."
    )
    if material.promoted.height:
        said += " A ring marks where a promoted trial left its parent."
    return section("The best trials, step by step", said, grid(drawings, "large"))


def before_and_after(material: Material) -> Html | None:
    """The schedules of the promoted."""
    drawings = schedules(material)
    if not drawings:
        return None
    said = (
        f"As recorded, for the same trials, at most {MAX_ROWS} points each. What "
        "parent and child share was run once."
    )
    is_over = not material.trials["status"].is_in(["waiting", "running"]).any()
    if is_over and material.steps.lints.filter(lint="seam").is_empty():
        said += " Nowhere does a rate jump where a child leaves its parent's."
    title = "Learning rates before and after extension"
    return section(title, said, grid(drawings, "medium"))


def _unfinished(material: Material) -> str:
    if material.is_over:
        return ""
    ended, planned = material.num_ended, material.num_planned
    return f"Unfinished: {count(ended)} of {count(planned, 'trial')} have ended."


def _figures(material: Material) -> dict[str, str]:
    """Figures by what they count; what is not yet known is left out."""
    trials, spent = material.trials, material.figures
    promoted = material.promoted.height
    some = f", {count(promoted)} promoted" if promoted else ""
    figures = {f"trials{some}": count(trials.height)}
    for status in ("diverged", "stopped", "failed"):
        number = trials.filter(status=status).height
        if number or status == "diverged":
            figures[status] = count(number)
    if spent.get("seconds"):
        steps, seconds = spent["trial_steps"], spent["seconds"]
        figures |= {
            "trial-steps": count(steps),
            "trial-steps a second, compilation included": f"{steps / seconds:,.0f}",
        }
    return figures


def _key(material: Material) -> Html:
    """What the colours and marks mean that occur."""
    several = len(material.series) > 1
    chips = [chip(series) for series in material.series.values()] if several else []
    axis, objective = material.axis, pl.col("best_objective")
    is_beyond = objective.is_between(axis.low, axis.high).not_()
    marks = {
        "\N{BLACK CIRCLE} trial": material.ranked,
        "\N{BLACK DIAMOND} promoted": material.promoted,
        "\N{WHITE UP-POINTING TRIANGLE} worse than shown": (
            material.ranked.filter(is_beyond)
        ),
        "\N{LARGE CIRCLE} the best": material.ranked,
    }
    said = [element("span", mark) for mark, trials in marks.items() if trials.height]
    if material.trials.filter(pl.col("status").is_in(BROKEN)).height:
        said.append(element("span", "\N{MULTIPLICATION X} broken", class_="broken"))
    return element("p", *chips, *said, class_="key")
