"""Is patience the limit, or the data? Whether longer training would help (playbook D1).

Three kinds of evidence, the strongest first (C9, C10): the same configurations at two
horizons, each with its own decay; the slope where the rate is at least half its peak;
the epochs seen. A decayed tail is none: a rate near zero flattens any curve.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tuner.analysis.curves import mean_by_stretch, roots
from tuner.analysis.evidence import (
    Evidence,
    from_epochs,
    from_horizons,
    from_slopes,
)
from tuner.analysis.gains import (
    BOUND,
    FEWEST,
    NOT_BOUND,
    UNDECIDED,
    configuration,
    horizon_gains,
    judge_each,
    measured,
    slope_gains,
    with_rates,
)
from tuner.analysis.ranking import rank
from tuner.analysis.shares import best_shares

FEWEST_PROMOTED = 8  # twice as many as a mean needs, since some may break

TO_DO = {
    BOUND: (
        "Rounds are the recipe: settle questions on short runs, carry the best to "
        "longer ones, and check again there. Faster training is better training here: "
        "more steps in the same time, or an optimizer that needs fewer."
    ),
    NOT_BOUND: (
        "Longer training is unlikely to help: one well-chosen horizon is the recipe. "
        "Look to the data, to regularization and to the model instead; where the best "
        "steps come early, train for fewer steps."
    ),
    UNDECIDED: "Until it is settled, err on the side of training longer.",
}


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether a study is limited by compute.

    Attributes:
        says: "compute-bound", "not compute-bound" or "cannot tell".
        evidence: of all kinds, the strongest first; the first that says anything
            decides.
        settle: the command that would settle it, where nothing does.
        gains: what the evidence rests on, a row a configuration: `kind`, `trial`,
            `short`, `long`, `gain`, `pace`, `train_gain`, `train_pace` and more.
        trials: what is known of every complete trial: `trial`, `max_train_steps`,
            `says` and `by`, the kind of evidence.
    """

    says: str
    evidence: tuple[Evidence, ...]
    settle: str
    gains: pl.DataFrame
    trials: pl.DataFrame

    @property
    def to_do(self) -> str:
        """What follows from it."""
        return TO_DO[self.says]


def compute_bound(
    trials: pl.DataFrame,
    evaluations: pl.DataFrame,
    updates: pl.DataFrame | None = None,
    *,
    objective: str,
    maximize: bool = False,
    train_loss: str = "train/loss",
    training_examples: int | None = None,
    on_edge: Collection[str] = (),
    directory: str = "DIR",
) -> Verdict:
    """Whether longer training would help, for every trial and for the study.

    Args:
        trials: columns `trial`, `status`, `max_train_steps`, `best_objective`, and
            what tells configurations apart: `hp.*` (or `sample`) and `combination`, or
            `parent`.
        evaluations: whole curves: `trial`, `step`, the objective, and `examples` where
            epochs are to count.
        updates: whole curves of steps: `trial`, `step`, `learning_rate`, and the
            training loss. Without rates there is no slope, and trials of two horizons
            are taken to be annealed; without the loss "not compute-bound" is said only
            of trials that get worse again.
        objective: the metric's name.
        maximize: whether it is to be large.
        train_loss: the name of the loss in training.
        training_examples: how many there are, where that is known.
        on_edge: learning rates whose best values lie on the edge of their range: too
            small a rate is still improving at any horizon, so that no slope counts.
        directory: the run's, for the command that would settle it.
    """
    known = with_rates(trials, updates)
    if not configuration(known) and "parent" in known.columns:
        known = known.join(roots(trials).rename({"root": "sample"}), on="trial")
    halves = best_shares(trials, maximize=maximize).select("trial", "better")
    known = known.join(halves, on="trial", how="left", maintain_order="left")
    losses = _losses(updates, evaluations, train_loss)
    rows = measured(
        known, evaluations, losses, objective, train_loss, maximize=maximize
    )
    pairs = _pairs(rows)
    slopes = slope_gains(rows)
    if on_edge:
        slopes = slopes.clear()
    better = _better_half(known, slopes, maximize)
    epochs = _epochs(trials, evaluations, training_examples)
    evidence = (
        from_horizons(_longest(pairs), objective),
        from_slopes(better, objective, on_edge),
        from_epochs(epochs, training_examples),
    )
    says = next((e.says for e in evidence if e.says != UNDECIDED), UNDECIDED)
    return Verdict(
        says,
        evidence,
        _settle(trials, directory) if says == UNDECIDED else "",
        pl.concat([_longest(pairs), better]),
        _each(trials, pairs, slopes, epochs),
    )


def _losses(
    updates: pl.DataFrame | None, evaluations: pl.DataFrame, train_loss: str
) -> pl.DataFrame | None:
    """The training loss by the stretches between evaluations."""
    if updates is None or train_loss not in updates.columns or evaluations.is_empty():
        return None
    every = evaluations.select(pl.col("step").filter(pl.col("step") > 0).min()).item()
    return mean_by_stretch(updates, train_loss, every) if every else None


def _pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """The configurations at two horizons; where they are few, each with its seed."""
    keys = configuration(rows)
    pairs = horizon_gains(rows, keys)
    if _longest(pairs).height >= FEWEST or "replicate" not in rows.columns:
        return pairs
    return horizon_gains(rows, [*keys, "replicate"])


def _longest(pairs: pl.DataFrame) -> pl.DataFrame:
    """Of the pairs of horizons that enough configurations have the longest.

    Of its configurations those that were in the better half: a poor one, whose rate is
    too low, gains from any steps. Where they are few, all.
    """
    counted = pairs.group_by("long", "short").len().sort("long", "short")
    enough = counted.filter(pl.col("len") >= FEWEST)
    chosen = (enough if enough.height else counted).tail(1)
    these = pairs.join(chosen, on=["long", "short"], how="semi", maintain_order="left")
    better = these.filter("better")
    return better if better.height >= FEWEST else these


def _better_half(
    trials: pl.DataFrame, slopes: pl.DataFrame, maximize: bool
) -> pl.DataFrame:
    """The slopes of the better half of the longest horizon with enough trials.

    Of a configuration the best trial counts.
    """
    ranked = rank(trials, maximize=maximize).join(
        slopes.select(pl.col("trial").cast(trials.schema["trial"]), "long"),
        on="trial",
        maintain_order="left",
    )
    keys = configuration(trials)
    if keys:
        ranked = ranked.unique([*keys, "long"], keep="first", maintain_order=True)
    counted = ranked.group_by("long").len().filter(pl.col("len") >= 2 * FEWEST)
    of_longest = ranked.filter(pl.col("long") == (counted["long"].max() or 0))
    chosen = of_longest.head((of_longest.height + 1) // 2)["trial"].cast(pl.Int64)
    return slopes.filter(pl.col("trial").is_in(chosen.implode()))


def _epochs(
    trials: pl.DataFrame, evaluations: pl.DataFrame, training_examples: int | None
) -> pl.DataFrame:
    """How often every complete trial saw the data: `trial`, `long`, `epochs`."""
    complete = trials.filter(status="complete").select("trial", long="max_train_steps")
    if not training_examples or "examples" not in evaluations.columns:
        return complete.with_columns(epochs=pl.lit(None, pl.Float64))
    seen = evaluations.group_by("trial").agg(
        epochs=pl.col("examples").max() / training_examples
    )
    return complete.join(seen, on="trial", how="left", maintain_order="left")


def _each(
    trials: pl.DataFrame,
    pairs: pl.DataFrame,
    slopes: pl.DataFrame,
    epochs: pl.DataFrame,
) -> pl.DataFrame:
    """What is known of every complete trial, by its strongest evidence."""
    judged: dict[int, tuple[str, str]] = {}
    for kind, gains in (("slope", slopes), ("two horizons", pairs)):
        for _, same in gains.group_by("long", "short" if kind != "slope" else "kind"):
            said = zip(same["trial"], judge_each(same), strict=True)
            judged |= {trial: (says, kind) for trial, says in said if says != UNDECIDED}
    by_epochs = {
        trial: (BOUND, "epochs")
        for trial, seen in epochs.select("trial", "epochs").iter_rows()
        if seen is not None and seen < 1
    }
    found = by_epochs | judged
    complete = trials.filter(status="complete").sort("trial")
    said = [found.get(trial, (UNDECIDED, None)) for trial in complete["trial"]]
    return complete.select("trial", "max_train_steps").with_columns(
        pl.Series("says", [says for says, _ in said], dtype=pl.String),
        pl.Series("by", [kind for _, kind in said], dtype=pl.String),
    )


def _settle(trials: pl.DataFrame, directory: str) -> str:
    """The command that gives the strongest evidence."""
    complete = trials.filter(status="complete")
    if complete.is_empty():
        return ""
    columns = complete.columns
    num = complete["combination"].n_unique() if "combination" in columns else 1
    keep = min(-(-FEWEST_PROMOTED // num) * num, max(complete.height, 1))
    steps = 4 * int(complete.select(pl.col("max_train_steps").max()).item())
    return (
        f"tuner promote {directory} --keep {keep} --steps {steps} "
        f"--extend {extension(complete)}"
    )


def extension(trials: pl.DataFrame) -> str:
    """The rule that suits the trials' schedules (playbook D9)."""
    phases: Sequence[str] = ("schedule.constant_steps", "schedule.decay_steps")
    if not set(phases) <= set(trials.columns):
        return "constant"
    constant: Mapping[str, int] = trials.select(pl.col(phases).max()).row(0, named=True)
    return "stretch" if not constant[phases[0]] else "constant"
