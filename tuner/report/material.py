"""All that a page shows of a run: read once, each frame made by `tuner.analysis`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from tuner.analysis.adoption import Adoption, compare_with_baseline
from tuner.analysis.comparison import compare_combinations
from tuner.analysis.configurations import with_own_results
from tuner.analysis.curves import roots, with_lineage
from tuner.analysis.finding import Finding
from tuner.analysis.findings import findings
from tuner.analysis.phases import decay_begins
from tuner.analysis.promoted import compare_with_parents
from tuner.analysis.ranking import best_on_average_first, with_ties
from tuner.analysis.steps import StepsKnown, steps_known
from tuner.analysis.transfer import Transfer, transfers
from tuner.report.axes import Axis, axis_of
from tuner.report.colours import SERIES, series_colour
from tuner.report.words import precision
from tuner.runs import Run
from tuner.store.ledger import ENDED

NUM_FAMILIES = 5  # whose curves are shown


@dataclass(frozen=True)
class Series:
    """What is drawn in one colour: a scientific combination, or a trial's family.

    Attributes:
        label: for people.
        place: among the others, which decides its colour.
    """

    label: str
    place: int

    @property
    def colour(self) -> str:
        """Its colour in figures."""
        return series_colour(self.place)

    @property
    def index(self) -> int:
        """Of its colour among all there are."""
        return min(self.place, len(SERIES))


@dataclass(frozen=True)
class Family:
    """A trial with all that were promoted from it, the first of them first.

    Attributes:
        series: what its curves are called.
        trials: with `start_step`, `parent`, and `decay_step`, null where none began.
    """

    series: Series
    trials: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a page is made from.

    Attributes:
        directory: where the run lies, as it was opened.
        definition: what `study.json` says.
        figures: what the run has cost.
        is_over: whether no trial waits, and no round.
        trials: with `tie`, the loss at their best step.
        evaluations: whole curves of evaluations.
        updates: every step that was made, under the trial that made it.
    """

    directory: Path
    definition: Mapping[str, Any]
    figures: Mapping[str, Any]
    is_over: bool
    trials: pl.DataFrame
    evaluations: pl.DataFrame
    updates: pl.DataFrame

    @property
    def study(self) -> Mapping[str, Any]:
        """The study's definition as data."""
        return self.definition["study"]

    @property
    def metric(self) -> str:
        """The objective's name."""
        return self.study["objective"]["metric"]

    @property
    def loss(self) -> str | None:
        """The name of the loss that breaks ties, where it is not the objective."""
        name = self.metric.rpartition("/")[0] + "/loss"
        is_other = name != self.metric and name in self.evaluations.columns
        return name if is_other else None

    @property
    def maximize(self) -> bool:
        """Whether the objective is to be large."""
        return self.study["objective"]["direction"] == "maximize"

    @property
    def num_planned(self) -> int:
        """How many trials all rounds have."""
        return sum(
            round_["trials"] + len(round_["points"]) + round_["keep"]
            for round_ in self.study["rounds"]
        )

    @property
    def num_ended(self) -> int:
        """How many of them have ended, one way or another."""
        return self.trials.filter(pl.col("status").is_in(ENDED)).height

    @property
    def searched(self) -> dict[str, Mapping[str, Any]]:
        """The domains of the searched hyperparameters that trials have, by name."""
        return {
            name: domain
            for name, domain in self.study["space"].items()
            if domain["type"] != "fixed" and f"hp.{name}" in self.trials.columns
        }

    @cached_property
    def ranked(self) -> pl.DataFrame:
        """The trials that have a result, best first."""
        return best_on_average_first(self.trials, maximize=self.maximize)

    @cached_property
    def combinations(self) -> pl.DataFrame:
        """The scientific combinations, the winner first."""
        return compare_combinations(self.trials, maximize=self.maximize)

    @cached_property
    def series(self) -> dict[str, Series]:
        """Every scientific combination's label and colour, in the order of trials."""
        unique = self.trials["combination"].unique(maintain_order=True)
        return {text: Series(_label(text), i) for i, text in enumerate(unique)}

    @cached_property
    def promoted(self) -> pl.DataFrame:
        """The promoted trials beside those they came from."""
        return compare_with_parents(self.trials, maximize=self.maximize)

    @cached_property
    def findings(self) -> list[Finding]:
        """What the run says about itself."""
        return findings(
            self.trials, self.definition, self.evaluations, self.all_updates
        )

    @cached_property
    def transfers(self) -> list[Transfer]:
        """What its rounds say about each other."""
        own = with_own_results(
            self.trials, self.evaluations, self.metric, maximize=self.maximize
        )
        return transfers(
            own,
            self.study["space"],
            maximize=self.maximize,
            production_steps=self.study.get("production_steps"),
        )

    @cached_property
    def adoption(self) -> Adoption | None:
        """The candidates beside the baseline, where both were trained several times."""
        return compare_with_baseline(self.trials, maximize=self.maximize)

    @cached_property
    def steps(self) -> StepsKnown:
        """What it says about how long to train."""
        return steps_known(
            self.trials,
            self.study,
            self.evaluations,
            self.all_updates,
            directory=str(self.directory),
        )

    @cached_property
    def form(self) -> str:
        """The format of objectives."""
        return precision(self.ranked["best_objective"].to_numpy())

    @cached_property
    def loss_form(self) -> str:
        """The format of losses."""
        return precision(self.ranked["tie"].drop_nulls().to_numpy())

    @cached_property
    def axis(self) -> Axis:
        """The stretch of objectives that figures show."""
        objectives = self.ranked["best_objective"].to_numpy()
        return axis_of(objectives, maximize=self.maximize)

    @cached_property
    def families(self) -> list[Family]:
        """The best family of every combination; of a single one the best families."""
        rooted = roots(self.trials)
        one_each = "combination" if len(self.series) > 1 else "root"
        ranked = self.ranked.join(rooted, on="trial", maintain_order="left")
        leaders = ranked.unique(one_each, keep="first", maintain_order=True)
        leaders = leaders.head(NUM_FAMILIES)
        trials = self.trials.join(rooted, on="trial").join(
            leaders.select("root"), on="root", how="semi"
        )
        decays = decay_begins(self.whole_updates(trials))
        trials = trials.join(decays, on="trial", how="left").sort("trial")
        return [
            Family(self._series_of(leader, i), trials.filter(root=leader["root"]))
            for i, leader in enumerate(leaders.iter_rows(named=True))
        ]

    @cached_property
    def all_updates(self) -> pl.DataFrame:
        """The steps of all trials from step 1 on."""
        return with_lineage(self.updates, self.trials)

    def whole_updates(self, trials: pl.DataFrame) -> pl.DataFrame:
        """The steps of trials from step 1 on, their ancestors' among them."""
        rows = self.updates.join(trials.select("trial"), on="trial", how="semi")
        return with_lineage(rows, trials)

    def _series_of(self, leader: Mapping[str, Any], place: int) -> Series:
        """What the family of its best trial is called."""
        if len(self.series) > 1:
            return self.series[leader["combination"]]
        return Series(f"trial {leader['trial']}", place)


def gather(run: Run) -> Material:
    """What the page of a run is made from, as the run stands."""
    definition = run.definition
    evaluations = run.metrics("valid", lineage=True)
    metric = definition["study"]["objective"]["metric"]
    return Material(
        directory=run.directory,
        definition=definition,
        figures=run.figures,
        is_over=run.status == "complete",
        trials=with_ties(run.trials, evaluations, metric),
        evaluations=evaluations,
        updates=run.metrics("train"),
    )


def _label(combination: str) -> str:
    """The values of a combination, with their names where there are several."""
    values = json.loads(combination)
    if len(values) == 1:
        return str(*values.values())
    return ", ".join(f"{name}={value}" for name, value in values.items())
