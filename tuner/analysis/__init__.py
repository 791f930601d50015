"""What a run means, read from frames of trials and of curves: no JAX, no ink."""

from tuner.analysis.boundary import Edge, edges
from tuner.analysis.comparison import compare_combinations
from tuner.analysis.curves import (
    best_so_far,
    best_steps,
    mean_by_stretch,
    own_curves,
    roots,
    with_lineage,
)
from tuner.analysis.finding import Finding
from tuner.analysis.phases import decay_begins
from tuner.analysis.promoted import compare_with_parents
from tuner.analysis.ranking import best_first, rank, select, with_ties
from tuner.analysis.thinning import thin

__all__ = [
    "Edge",
    "Finding",
    "best_first",
    "best_so_far",
    "best_steps",
    "compare_combinations",
    "compare_with_parents",
    "decay_begins",
    "edges",
    "mean_by_stretch",
    "own_curves",
    "rank",
    "roots",
    "select",
    "thin",
    "with_lineage",
    "with_ties",
]
