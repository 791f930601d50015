"""What a run means, read from frames of trials and of curves: no JAX, no ink."""

from tuner.analysis.boundary import Edge, edges
from tuner.analysis.comparison import compare_combinations
from tuner.analysis.compute_bound import Verdict, compute_bound
from tuner.analysis.curves import (
    best_so_far,
    best_steps,
    mean_by_stretch,
    own_curves,
    roots,
    with_lineage,
)
from tuner.analysis.evidence import Evidence
from tuner.analysis.extended import (
    Lint,
    lint_extension,
    lint_promoted,
    seam_rates,
)
from tuner.analysis.finding import Finding
from tuner.analysis.fitting import Fastest, fastest, first_fits, steps_by_rate
from tuner.analysis.phases import decay_begins
from tuner.analysis.promoted import compare_with_parents
from tuner.analysis.ranking import best_first, rank, select, with_ties
from tuner.analysis.shares import (
    HorizonAdvice,
    advise,
    best_shares,
    share_histogram,
)
from tuner.analysis.steps import StepsKnown, steps_known
from tuner.analysis.thinning import thin

__all__ = [
    "Edge",
    "Evidence",
    "Fastest",
    "Finding",
    "HorizonAdvice",
    "Lint",
    "StepsKnown",
    "Verdict",
    "advise",
    "best_first",
    "best_shares",
    "best_so_far",
    "best_steps",
    "compare_combinations",
    "compare_with_parents",
    "compute_bound",
    "decay_begins",
    "edges",
    "fastest",
    "first_fits",
    "lint_extension",
    "lint_promoted",
    "mean_by_stretch",
    "own_curves",
    "rank",
    "roots",
    "seam_rates",
    "select",
    "share_histogram",
    "steps_by_rate",
    "steps_known",
    "thin",
    "with_lineage",
    "with_ties",
]
