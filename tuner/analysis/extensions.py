"""Which rule of extension won, judged on the same parents.

Lengthening the constant phase is the playbook's own rule, and marked there as
speculation. Where a round extends its trials under several rules, each trial is its own
control, so that a handful can tell what a rule is worth.
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from tuner.analysis.agreement import LEVEL
from tuner.analysis.ranking import BROKEN

CONJECTURE = "LengthenConstant"  # playbook D9
FEWEST_PARENTS = 3  # whose differences have a spread worth the name

SCHEMA = {
    "round": pl.Int64,
    "rule": pl.String,
    "other": pl.String,
    "num_parents": pl.Int64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "verdict": pl.String,
}


def compare_extensions(trials: pl.DataFrame, *, maximize: bool = False) -> pl.DataFrame:
    """Every two rules under which a round extended the same trials.

    The difference is the mean, over parents, of the rule's best objective less the
    other's; replicates count by their mean. Its interval is Student's, as wide as to
    hold for all comparisons of a round at once (95 %).

    Args:
        trials: columns `trial`, `parent`, `round`, `status`, `best_objective` and
            `extend`, the rule.
        maximize: whether the objective is to be large.

    Returns:
        One row a comparison: `round`, `rule`, `other`, `num_parents`, `difference`,
        `low`, `high` (both null below three parents) and `verdict`, the rule that won
        or "cannot tell".
    """
    if "extend" not in trials.columns:
        return pl.DataFrame(schema=SCHEMA)
    judged = trials.filter(
        pl.col("parent").is_not_null(),
        pl.col("extend").is_not_null(),
        pl.col("status") == "complete",
        pl.col("best_objective").is_finite(),
    ).sort("trial")
    rows = [
        row
        for (number,), children in judged.group_by("round", maintain_order=True)
        for row in _compared(number, children, -1 if maximize else 1)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def broken_by_rule(trials: pl.DataFrame) -> pl.DataFrame:
    """How many trials broke under each rule: `round`, `rule`, `num_trials`, `broken`.

    A comparison leaves them out, so they are to stand beside it.
    """
    if "extend" not in trials.columns:
        counts = {"num_trials": pl.Int64, "broken": pl.Int64}
        return pl.DataFrame(schema={"round": pl.Int64, "rule": pl.String, **counts})
    extended = trials.filter(pl.col("extend").is_not_null())
    return extended.group_by("round", rule="extend", maintain_order=True).agg(
        num_trials=pl.len(), broken=pl.col("status").is_in(BROKEN).sum()
    )


def is_conjecture(rule: str) -> bool:
    """Whether the playbook marks the rule as speculation."""
    return rule.startswith(CONJECTURE)


def _compared(number: int, children: pl.DataFrame, sign: int) -> Iterator[tuple]:
    """The rows of one round."""
    by_rule = children.pivot(
        on="extend", index="parent", values="best_objective", aggregate_function="mean"
    )
    rules = by_rule.columns[1:]
    compared = list(itertools.combinations(rules, 2))
    for rule, other in compared:
        both = by_rule.select(rule, other).drop_nulls().to_numpy()
        if not len(both):
            continue
        differences = both[:, 0] - both[:, 1]
        low, high = mean_interval(differences, 1 - (1 - LEVEL) / len(compared))
        verdict = "cannot tell"
        if low is not None and high is not None and not low <= 0 <= high:
            verdict = rule if sign * high < 0 or sign * low < 0 else other
        mean = float(differences.mean())
        yield number, rule, other, len(both), mean, low, high, verdict


def mean_interval(
    differences: np.ndarray, level: float
) -> tuple[float | None, float | None]:
    """Student's interval of a mean; nothing below three values."""
    from scipy import stats  # half a second, which reading need not wait for

    if len(differences) < FEWEST_PARENTS:
        return None, None
    mean, number = float(differences.mean()), len(differences)
    error = float(differences.std(ddof=1)) / math.sqrt(number)
    reach = float(stats.t.isf((1 - level) / 2, number - 1)) * error
    return mean - reach, mean + reach
