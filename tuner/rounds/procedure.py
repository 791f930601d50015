"""The procedure of `find_steps`: a search, then grids, each an ordinary run."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from tuner.analysis.fitting import (
    RATES,
    Fastest,
    better_end,
    closest,
    fastest,
    finest,
    first_fits,
    next_grid,
    steps_by_rate,
)
from tuner.rounds.fit import ANSWER, NOT_FITTED, REFUSED, UNFINISHED, StepsToFit
from tuner.rounds.runner import run
from tuner.runs import Run
from tuner.store import verdict
from tuner.store.reader import read_ledger
from tuner.study import fitting
from tuner.study.constant_rate import ConstantRate
from tuner.study.fitting import Grid, Search
from tuner.study.perfect import Perfect
from tuner.study.study import Study, describe

COARSE = 10  # evaluations: an answer that came within fewer is looked at more closely


@dataclasses.dataclass(frozen=True, kw_only=True)
class Procedure:
    """The parts of the procedure, each a run of its own.

    Attributes:
        study: without regularization, judged on its training set.
        directory: of the study's run.
        perfect: when the set is fitted.
        search: how far a fitting configuration is looked for.
        grid: the rates.
        evaluations: of a trial of the grid.
        constant: the schedule.
        options: for `run`.
    """

    study: Study
    directory: Path
    perfect: Perfect
    search: Search
    grid: Grid
    evaluations: int
    constant: ConstantRate
    options: Mapping[str, Any]

    def find(self) -> StepsToFit:
        """Search, then grid after grid until the answer is fine enough."""
        result = self._searched(self.study)
        if result.verdict not in (UNFINISHED, ANSWER):
            further = fitting.over_grid(self.study, self.grid, self.constant.names)
            result = result if further is None else self._searched(further)
        return self._with_grid(result) if result.configuration else result

    def _searched(self, study: Study) -> StepsToFit:
        """What a search alone says: of an answer no more than that there is one."""
        searched = self._run(
            fitting.search_study(study, self.search, self.perfect, self.constant)
        )
        p, curves = self.perfect, searched.metrics("valid", lineage=True)
        fits = first_fits(curves, p.metric, p.target.objective, maximize=p.maximize)
        result = StepsToFit(
            verdict=NOT_FITTED if searched.status == "complete" else UNFINISHED,
            metric=p.metric,
            perfect=p.value,
            grid=(self.grid.low, self.grid.high, self.grid.rates),
            searched_trials=searched.trials.filter(round=1).height,
            searched_steps=max(searched.trials["max_train_steps"].to_list()),
            closest=closest(curves, p.metric, maximize=p.maximize),
            rates=pl.DataFrame(schema=RATES),
        )
        if result.verdict == UNFINISHED:
            return result
        if fits.is_empty():
            return self._unless_at_an_edge(result, searched)
        trial, steps = fits.sort("steps", "trial").row(0)
        rows = {row.trial: row for row in read_ledger(searched.directory).trials}
        configuration = dict(rows[trial].hyperparams)
        return dataclasses.replace(
            result,
            verdict=ANSWER,
            configuration=configuration,
            rate=self._rate_of(configuration),
            searched_steps=steps,
        )

    def _unless_at_an_edge(self, result: StepsToFit, searched: Run) -> StepsToFit:
        """The verdict of a search in vain: may it be for its rates alone?"""
        space, begun = searched.definition["study"]["space"], searched.trials
        begun = begun.filter(round=1)
        for name in self.constant.names:
            rates = begun.select(pl.col(f"hp.{name}"), "status", "best_objective")
            end = better_end(rates, f"hp.{name}", maximize=self.perfect.maximize)
            if end:
                low, high = space[name]["low"], space[name]["high"]
                return dataclasses.replace(
                    result,
                    verdict=REFUSED,
                    edge=end,
                    grid=(low, high, self.grid.rates),
                    next_grid=next_grid(low, high, space[name][end]),
                )
        return result

    def _with_grid(self, result: StepsToFit) -> StepsToFit:
        """The grid's verdict, on a configuration that fits in `searched_steps`."""
        found_at = result.configuration[result.rate]
        tables, steps = [], result.searched_steps
        while steps is not None:
            table = self._steps_by_rate(result.configuration, steps)
            if table is None:
                return dataclasses.replace(result, verdict=UNFINISHED)
            tables.append(table)
            best = fastest(finest(tables))
            steps = self._next_steps(best, table.item(0, "within"), found_at)
        best, rates = fastest(finest(tables)), finest(tables)
        if best is not None and not best.edge:
            return dataclasses.replace(result, verdict=ANSWER, rates=rates).at(best)
        centre = found_at if best is None else best.learning_rate
        following = next_grid(self.grid.low, self.grid.high, centre)
        refused = dataclasses.replace(
            result, verdict=REFUSED, rates=rates, next_grid=following
        )
        return refused if best is None else refused.at(best)

    def _next_steps(
        self, best: Fastest | None, horizon: int, found_at: float
    ) -> int | None:
        """The horizon of another grid that is worth its steps, if any is.

        The configuration that the search found begins here from other parameters. So a
        grid around its rate in which nothing fits gets more steps.
        """
        if best is None:
            most = self.search.max_steps
            around = self.grid.low <= found_at <= self.grid.high
            return min(2 * horizon, most) if around and horizon < most else None
        coarse = best.every > 1 and best.steps < COARSE * best.every
        again = best.steps + best.every  # it fits again in these, whatever the rounding
        return again if coarse and again < horizon else None

    def _steps_by_rate(
        self, configuration: Mapping[str, Any], steps: int
    ) -> pl.DataFrame | None:
        """One grid's table; None where it was interrupted."""
        study = fitting.grid_study(
            self.study,
            self.grid,
            self.perfect,
            self._rate_of(configuration),
            self.constant,
            configuration=configuration,
            steps=steps,
            evaluations=self.evaluations,
        )
        trained, p = self._run(study), self.perfect
        if trained.status != "complete":
            return None
        return steps_by_rate(
            trained.trials,
            trained.metrics("valid", lineage=True),
            p.metric,
            p.target.objective,
            rate=f"hp.{self._rate_of(configuration)}",
            every=study.eval_every,
            maximize=p.maximize,
        )

    def _rate_of(self, configuration: Mapping[str, Any]) -> str:
        """The flat name of the rate that a configuration has."""
        return next(name for name in self.constant.names if name in configuration)

    def _run(self, study: Study) -> Run:
        """A part, in a folder that is named by all that it is but data and code.

        An answer rests on one code: where that has changed, a part begins anew.
        """
        text = json.dumps(describe(study), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        kind = study.name.rpartition("-")[2]
        folder = self.directory / verdict.FOLDER / f"{kind}-{digest}"
        return run(study, folder, restart=True, **self.options)
