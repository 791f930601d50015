"""What a run means, read from frames of trials and of curves: no JAX, no ink."""

from tuner.analysis.curves import best_so_far, best_steps, with_lineage
from tuner.analysis.promoted import compare_with_parents
from tuner.analysis.ranking import rank, select

__all__ = [
    "best_so_far",
    "best_steps",
    "compare_with_parents",
    "rank",
    "select",
    "with_lineage",
]
