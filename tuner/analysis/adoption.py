"""Whether a configuration is better than the baseline, given the noise of both.

The run that made a configuration look good was the luckiest of many, and says little
of the next one. So it is left out: only runs with fresh seeds count, and a
configuration is adopted only if they are better in view of both variances (playbook
C13).
"""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from tuner.analysis.agreement import LEVEL
from tuner.analysis.configurations import configuration
from tuner.analysis.extensions import mean_interval
from tuner.analysis.ranking import BROKEN

FEWEST_RUNS = 2  # of a configuration, without which it has no variance
POWER = 0.8  # of runs enough to see a difference, where it is as it seems


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration beside the baseline.

    Attributes:
        trial: the first of its runs.
        values: what its runs with fresh seeds came to.
        difference: of the means, its own less the baseline's.
        low: of the difference's interval, for all candidates at once; None where there
            are too few runs.
        high: likewise.
        paired: whether the runs share seeds with the baseline's.
        verdict: "adopt", "keep the baseline", or "cannot tell".
        enough: runs of each that would tell, if the difference is what it seems; None
            where nothing seems better.
    """

    trial: int
    values: tuple[float, ...]
    difference: float
    low: float | None
    high: float | None
    paired: bool
    verdict: str
    enough: int | None


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """The candidates of a round beside its baseline, best mean first.

    A configuration that was extended under several rules is several candidates; of the
    baseline the best one counts.

    Attributes:
        round: whose runs are compared.
        baseline: the first of its trials.
        values: what all runs of the baseline came to.
        candidates: those with two runs or more whose seeds are fresh.
        broken: how many runs of candidates and baseline broke: none of the values.
    """

    round: int
    baseline: int
    values: tuple[float, ...]
    candidates: tuple[Candidate, ...]
    broken: int


def compare_with_baseline(
    trials: pl.DataFrame, *, baseline: int | None = None, maximize: bool = False
) -> Adoption | None:
    """The last round with replicates: is anything better than the baseline?

    Runs that share a seed are paired, where three do; else the interval is Welch's. The
    column `seed` says which do, or else `replicate`: numbers above 0 stand for the same
    random numbers in all configurations.

    Args:
        trials: columns `trial`, `round`, `sample`, `replicate`, `status`,
            `best_objective` and `hp.<name>`, where there is one also `seed`.
        baseline: any trial of the baseline; None is the first of the configurations
            that the study's author wrote down for that round, whose samples are below
            0.
        maximize: whether the objective is to be large.

    Returns:
        None where no round has both a baseline and a candidate with two runs or more.
    """
    if not {"sample", "replicate"} <= set(trials.columns):
        return None
    numbered = _numbered(trials)
    named = [] if baseline is None else _named(numbered, baseline)
    for number in numbered["round"].unique().sort(descending=True):
        runs = numbered.filter(round=number)
        own = _written_down(runs) if baseline is None else named
        found = _of_round(runs, number, own[0], maximize) if own else None
        if found is not None:
            return found
    return None


def _numbered(trials: pl.DataFrame) -> pl.DataFrame:
    """The trials with their configuration's number, seed, and whether that is fresh.

    A run is fresh where none of an earlier round had its configuration and seed.
    """
    key = [name for name in configuration(trials) if name != "sample"]
    known = pl.when(pl.col("replicate") > 0).then("replicate")
    seed = pl.col("seed") if "seed" in trials.columns else known
    if "extend" not in trials.columns:
        trials = trials.with_columns(extend=pl.lit(None, pl.String))
    return (
        trials.sort("trial")
        .with_columns(seed=seed, number=pl.struct(key).rank("dense"))
        .with_columns(run=pl.coalesce("seed", "replicate"))
        .with_columns(
            fresh=pl.col("round") == pl.col("round").min().over("number", "run")
        )
    )


def _named(numbered: pl.DataFrame, baseline: int) -> list[int]:
    """The configuration of a trial."""
    return numbered.filter(trial=baseline)["number"].to_list()


def _written_down(runs: pl.DataFrame) -> list[int]:
    """The configurations that were given as points, in their order."""
    points = runs.filter(pl.col("sample") < 0).sort("sample", descending=True)
    return points["number"].unique(maintain_order=True).to_list()


def _of_round(
    runs: pl.DataFrame, number: int, own: int, maximize: bool
) -> Adoption | None:
    sound = runs.filter(
        pl.col("status") == "complete", pl.col("best_objective").is_finite()
    )
    sign = -1 if maximize else 1
    bases = _repeated(sound.filter(number=own))
    groups = _repeated(sound.filter(pl.col("number") != own, "fresh"))
    if not bases or not groups:
        return None
    base = min(bases, key=lambda runs: sign * _mean(runs))
    level = 1 - (1 - LEVEL) / len(groups)
    candidates = [_candidate(group, base, level, sign) for group in groups]
    candidates.sort(key=lambda each: (sign * each.difference, each.trial))
    compared = [own, *(group["number"][0] for group in groups)]
    broken = runs.filter(
        pl.col("number").is_in(compared), pl.col("status").is_in(BROKEN)
    )
    return Adoption(
        round=number,
        baseline=base["trial"][0],
        values=tuple(base["best_objective"]),
        candidates=tuple(candidates),
        broken=broken.height,
    )


def _repeated(runs: pl.DataFrame) -> list[pl.DataFrame]:
    """The runs by configuration and rule of extension, where there are several."""
    several = runs.filter(pl.len().over("number", "extend") >= FEWEST_RUNS)
    return several.partition_by("number", "extend", maintain_order=True)


def _mean(runs: pl.DataFrame) -> float:
    return float(runs["best_objective"].to_numpy().mean())


def _candidate(
    runs: pl.DataFrame, base: pl.DataFrame, level: float, sign: int
) -> Candidate:
    differences = _paired(runs, base)
    ours, theirs = (frame["best_objective"].to_numpy() for frame in (runs, base))
    if differences is None:
        difference = float(ours.mean() - theirs.mean())
        low, high = welch_interval(ours, theirs, level)
        spread = float(ours.var(ddof=1) + theirs.var(ddof=1))
    else:
        difference = float(differences.mean())
        low, high = mean_interval(differences, level)
        spread = float(differences.var(ddof=1))
    return Candidate(
        trial=runs["trial"][0],
        values=tuple(ours.tolist()),
        difference=difference,
        low=low,
        high=high,
        paired=differences is not None,
        verdict=_verdict(low, high, sign),
        enough=_enough(difference, spread, level) if sign * difference < 0 else None,
    )


def _paired(runs: pl.DataFrame, base: pl.DataFrame) -> np.ndarray | None:
    """Differences of the runs that share a seed; None below three of them."""
    other = base.select("seed", base="best_objective").drop_nulls("seed")
    both = runs.join(other, on="seed", maintain_order="left")
    if both.height < 3 or both["seed"].n_unique() < both.height:
        return None
    return (both["best_objective"] - both["base"]).to_numpy()


def welch_interval(
    ours: np.ndarray, theirs: np.ndarray, level: float
) -> tuple[float, float]:
    """Welch's interval of the difference of two means, each of two values or more.

    References:
        B. L. Welch, The generalization of "Student's" problem when several different
        population variances are involved, 1947
    """
    from scipy import stats  # half a second, which reading need not wait for

    ours_of_mean, theirs_of_mean = (
        float(values.var(ddof=1)) / len(values) for values in (ours, theirs)
    )
    difference = float(ours.mean() - theirs.mean())
    variance = ours_of_mean + theirs_of_mean
    if variance == 0:
        return difference, difference
    freedom = variance**2 / (
        ours_of_mean**2 / (len(ours) - 1) + theirs_of_mean**2 / (len(theirs) - 1)
    )
    reach = float(stats.t.isf((1 - level) / 2, freedom)) * math.sqrt(variance)
    return difference - reach, difference + reach


def _verdict(low: float | None, high: float | None, sign: int) -> str:
    if low is None or high is None or low <= 0 <= high:
        return "cannot tell"
    return "adopt" if sign * low < 0 else "keep the baseline"


def _enough(difference: float, spread: float, level: float) -> int:
    """Runs of each after which the interval would leave zero, in four of five cases."""
    from scipy import stats  # half a second, which reading need not wait for

    reach = stats.norm.isf((1 - level) / 2) + stats.norm.isf(1 - POWER)
    return max(FEWEST_RUNS, int(np.ceil(spread * (reach / difference) ** 2)))
