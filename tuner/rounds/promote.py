"""`promote`: a round more for a run, whenever one thinks of it."""

import dataclasses
import json
from collections.abc import Sequence

from tuner.rounds.budget import Budget
from tuner.rounds.display import Display
from tuner.rounds.layouts import LayoutLike
from tuner.rounds.promotion import check_kept
from tuner.rounds.runner import run
from tuner.runs import Run
from tuner.study.rounds import Extend, Round, round_of
from tuner.study.stopping import target
from tuner.study.study import Study


def promote(
    run_: Run,
    *,
    max_train_steps: int,
    keep: int | Sequence[int] = 0,
    extend: Extend | Sequence[Extend] | None = None,
    across: str = "each",
    control: int = 0,
    seeds: int | None = None,
    study: Study | None = None,
    layout: LayoutLike | None = None,
    memory: str | int | None = None,
    budget: Budget | None = None,
    display: Display | None = None,
    lock: bool = True,
) -> Run:
    """Add a round to a run: its best trials, trained longer, or once more.

    The same call goes on with a round that was interrupted, and adds none.

    Args:
        run_: the run, complete or not: what is left of it is run first. Rounds that
            were added before stay.
        max_train_steps: the new horizon.
        keep: how many configurations of the last round go on, or which trials of any
            round, as in `Round`.
        extend: the rule by which their schedules become longer, or several.
        across: "each" scientific combination keeps its share, or "all" together.
        control: how many go on besides that are not among the best.
        seeds: how many fresh seeds each configuration is trained from.
        study: the definition, where the run was opened without it.
        layout: as in `run`.
        memory: as in `run`.
        budget: as in `run`.
        display: as in `run`.
        lock: as in `run`.

    Raises:
        ValueError: where the definition is missing, or the round cannot be.
    """
    study = study or run_.study
    if study is None:
        raise ValueError(
            "promoting needs the study's functions, but a run that was opened has only "
            "its data: pass study=, or promote what tuner.run returned"
        )
    if run_.has_reached(study_target := target(study.rules)):
        raise ValueError(
            f"no round follows a study whose target is reached, but {study_target} is: "
            "pass study=dataclasses.replace(study, stop=()), or a harder target"
        )
    there = run_.definition["study"]["rounds"]
    longer = Round(
        max_train_steps=max_train_steps,
        keep=keep,
        extend=extend,
        across=across,
        control=control,
        seeds=seeds,
    )
    check_kept(longer, run_)
    rounds = [*study.rounds, *map(round_of, there[len(study.rounds) :])]
    if json.loads(json.dumps(longer.describe())) != there[-1]:
        rounds.append(longer)
    return run(
        dataclasses.replace(study, rounds=rounds),
        run_.directory,
        layout=layout,
        memory=memory,
        budget=budget,
        display=display,
        lock=lock,
    )
