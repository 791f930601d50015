"""A run as a value: open a directory, read its tables, restore its states.

Reading needs no JAX, nor does restoring a state but for its classes, by `like=`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from tuner.analysis.curves import with_lineage
from tuner.analysis.finding import Finding
from tuner.analysis.findings import findings
from tuner.analysis.fit_findings import fit_findings
from tuner.analysis.ranking import best_on_average_first, rank, with_ties
from tuner.store import verdict
from tuner.store.definition import NAME
from tuner.store.lost import check_definition
from tuner.store.reader import (
    MissingStateError,
    is_running,
    read_definition,
    read_ledger,
    read_state,
    read_table,
)
from tuner.study.stopping import Target, described_target

PARTS = {"best": "best", "last": "state", "branch": "state"}


def open_run(directory: str | Path) -> "Run":
    """Open a run directory for reading; whoever writes it is not disturbed.

    Raises:
        FileNotFoundError: where there is no run.
        DamagedError: where there was one, whose definition is gone.
    """
    directory = Path(directory)
    if not (directory / NAME).exists():
        check_definition(directory)
        raise FileNotFoundError(
            f"{directory} holds no run (there is no {NAME}): pass the directory given "
            "to `tuner run --dir`"
        )
    return Run(directory)


class Run:
    """What a run directory holds, read anew at each question.

    Attributes:
        directory: where it lies.
        study: the definition, where this process ran it; else None.
    """

    def __init__(self, directory: str | Path, *, study: Any = None) -> None:
        self.directory = Path(directory)
        self.study = study

    def __repr__(self) -> str:
        """Its directory."""
        return f"Run({str(self.directory)!r})"

    @property
    def definition(self) -> dict[str, Any]:
        """What `study.json` says: the study, versions, device and layouts."""
        return read_definition(self.directory)

    @property
    def layout(self) -> dict[str, str]:
        """The layout of every program, as `layout=` takes it."""
        return self.definition["layouts"]

    @property
    def figures(self) -> Mapping[str, Any]:
        """What the run has cost: steps, seconds, compilations."""
        return read_ledger(self.directory).figures

    @property
    def maximize(self) -> bool:
        """Whether the objective is to be large."""
        return self.definition["study"]["objective"]["direction"] == "maximize"

    @property
    def trials(self) -> pl.DataFrame:
        """One row a trial, with `hp.` and `schedule.` columns."""
        rows = read_ledger(self.directory).trials
        fields = {name: [getattr(row, name) for row in rows] for name in TRIAL_COLUMNS}
        frame = pl.DataFrame(fields, schema=TRIAL_COLUMNS)
        return frame.with_columns(
            *_spread("hp", [row.hyperparams for row in rows]),
            *_spread("schedule", [row.schedule for row in rows]),
        )

    def metrics(self, table: str, *, lineage: bool = False) -> pl.DataFrame:
        """The recorded steps ("train") or evaluations ("valid") of all trials.

        Args:
            table: "train" or "valid".
            lineage: put a promoted trial's shared prefix before its own rows.
        """
        ledger = read_ledger(self.directory)
        rows = read_table(self.directory, table, ledger)
        return with_lineage(rows, self.trials) if lineage else rows

    @property
    def status(self) -> str:
        """`running` while a process trains it, then `complete` or `interrupted`."""
        if is_running(self.directory):
            return "running"
        study, trials = self.definition["study"], self.trials
        if trials.is_empty() or trials["status"].is_in(["waiting", "running"]).any():
            return "interrupted"
        over = self.has_reached(described_target(study))
        over = over or _is_through(trials, len(study["rounds"]))
        return "complete" if over else "interrupted"

    def has_reached(self, target: Target | None) -> bool:
        """Whether the best trial so far is as good as that."""
        if target is None:
            return False
        objective = self.ranked["best_objective"]
        best = objective[0] if len(objective) else None
        return target.is_reached(best, maximize=self.maximize)

    @property
    def ranked(self) -> pl.DataFrame:
        """The trials that have a result, of any round, best first.

        A trial that broke is not among them. Ties go to the lower loss of the
        objective's set, then to the earlier trial. Where configurations were trained
        from several seeds they are ranked by their means.
        """
        trials = self._with_ties()
        return best_on_average_first(trials, maximize=self.maximize).drop("tie")

    @property
    def best(self) -> dict[str, Any]:
        """The first row of `ranked`.

        Raises:
            LookupError: where no trial has been evaluated.
        """
        ranked = self.ranked
        if ranked.is_empty():
            raise LookupError(f"no trial of {self.directory} has been evaluated yet")
        return ranked.row(0, named=True)

    def findings(self) -> list[Finding]:
        """What the run says about itself that its reader should act upon."""
        definition = self.definition
        if self.trials.is_empty():  # nor are there curves
            return findings(self._with_ties(), definition)
        found = findings(
            self._with_ties(),
            definition,
            self.metrics("valid", lineage=True),
            self.metrics("train", lineage=True),
        )
        return [*found, *fit_findings(self.steps_to_fit, definition["study"])]

    @property
    def steps_to_fit(self) -> dict[str, Any] | None:
        """The verdict of `find_steps` on this study, as data; None if there is none.

        One on other data, or on another task, is none.
        """
        kept, definition = verdict.read(self.directory), self.definition
        about = {"task": definition["study"]["task"], "data": definition["data"]}
        return kept if kept is not None and kept["about"] == about else None

    def restore(self, trial: int, what: str = "best", *, like: Any = None) -> Any:
        """A state of a trial: of its best evaluation, its last, or its branch step.

        Args:
            trial: its number.
            what: "best": what the task keeps of it, for supervised tasks the
                parameters. "last" or "branch": the whole state.
            like: a tree of the same structure, whose classes come back; nested
                dictionaries otherwise.

        Raises:
            LookupError: where there is no such state; lists those there are.
            ValueError: where `like` has another structure.
        """
        if what not in PARTS:
            raise ValueError(
                f"what must be one of {', '.join(PARTS)}, but got {what!r}"
            )
        try:
            leaves = self._leaves(trial, what)
        except MissingStateError as error:
            raise MissingStateError(f"{error}{self._let_go()}") from None
        prefix = f"{PARTS[what]}."
        chosen = {
            name.removeprefix(prefix): array
            for name, array in leaves.items()
            if name == PARTS[what] or name.startswith(prefix)
        }
        return _nested(chosen) if like is None else _like(like, chosen)

    def _let_go(self) -> str:
        """What is to be known where a state is missing: that not all are kept."""
        limits = self.definition["study"].get("snapshots", {})
        said = ", ".join(f"{k}={n}" for k, n in limits.items() if n is not None)
        return f"; the study has snapshots=tuner.Keep({said})" if said else ""

    def _with_ties(self) -> pl.DataFrame:
        trials = self.trials
        if trials.is_empty():
            return trials.with_columns(tie=pl.lit(None))
        metric = self.definition["study"]["objective"]["metric"]
        return with_ties(trials, self.metrics("valid", lineage=True), metric)

    def _leaves(self, trial: int, what: str) -> Mapping[str, Any]:
        """The newest snapshot that holds it: whole states may carry the best."""
        carry = self.definition.get("best_state", "lane") == "lane"
        holders = ("running", "last", "best") if what == "best" and carry else (what,)
        return read_state(self.directory, trial, *holders)[1]


TRIAL_COLUMNS = {
    "trial": pl.Int32,
    "sample": pl.Int32,
    "replicate": pl.Int32,
    "round": pl.Int32,
    "group": pl.String,
    "combination": pl.String,
    "parent": pl.Int32,
    "extend": pl.String,
    "control": pl.Boolean,
    "resumed_from": pl.Int32,
    "start_step": pl.Int32,
    "resume": pl.String,
    "status": pl.String,
    "max_train_steps": pl.Int32,
    "step": pl.Int32,
    "best_step": pl.Int32,
    "best_objective": pl.Float64,
    "final_objective": pl.Float64,
    "diverged_step": pl.Int32,
    "diverged_learning_rate": pl.Float64,
    "note": pl.String,
}


def _is_through(trials: pl.DataFrame, num_rounds: int) -> bool:
    """Whether no round is left: one that would keep nobody has no trials."""
    if trials.filter(round=num_rounds).height:
        return True
    last_round = trials.filter(pl.col("round") == pl.col("round").max())
    return rank(last_round.with_columns(tie=pl.lit(None))).is_empty()


def _spread(prefix: str, dicts: list[Mapping[str, Any]]) -> list[pl.Series]:
    """A column for each key, null where a trial does not have it."""
    names = dict.fromkeys(name for values in dicts for name in values)
    return [
        pl.Series(f"{prefix}.{name}", [_cell(values.get(name)) for values in dicts])
        for name in names
    ]


def _cell(value: Any) -> Any:
    """A tuple, which may mix types, as JSON text."""
    return json.dumps(value) if isinstance(value, list) else value


def _nested(leaves: Mapping[str, Any]) -> Any:
    """Dictionaries in dictionaries from dotted paths."""
    tree: dict[str, Any] = {}
    for path, array in leaves.items():
        if path in PARTS.values():
            return array  # the state is one array
        *above, name = path.split(".")
        inside = tree
        for key in above:
            inside = inside.setdefault(key, {})
        inside[name] = array
    return tree


def _like(like: Any, leaves: Mapping[str, Any]) -> Any:
    import jax  # here: reading a run must not wait for it

    paths, structure = jax.tree_util.tree_flatten_with_path(like)
    if structure == jax.tree.structure(0):
        return next(iter(leaves.values()))  # the state is one array
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in paths]
    if set(names) != set(leaves):
        differing = ", ".join(sorted(set(names) ^ set(leaves))[:5])
        raise ValueError(f"`like` must have the structure of the state: {differing}")
    return structure.unflatten([leaves[name] for name in names])
