"""What a run means, read from frames of trials and of curves: no JAX, no ink."""

from tuner.analysis.adoption import Adoption, Candidate, compare_with_baseline
from tuner.analysis.agreement import Agreement, Correlation, rank_agreement
from tuner.analysis.boundary import Edge, edges
from tuner.analysis.comparison import compare_combinations
from tuner.analysis.compute_bound import Verdict, compute_bound
from tuner.analysis.configurations import with_own_results
from tuner.analysis.curves import (
    best_so_far,
    best_steps,
    mean_by_stretch,
    own_curves,
    roots,
    with_lineage,
)
from tuner.analysis.elsewhere import as_trials
from tuner.analysis.evidence import Evidence
from tuner.analysis.extended import (
    Lint,
    lint_extension,
    lint_promoted,
    seam_rates,
)
from tuner.analysis.extensions import compare_extensions
from tuner.analysis.finding import Finding
from tuner.analysis.fitting import Fastest, fastest, first_fits, steps_by_rate
from tuner.analysis.phases import decay_begins
from tuner.analysis.promoted import compare_with_parents
from tuner.analysis.ranking import best_first, rank, select, with_ties
from tuner.analysis.regret import Regret
from tuner.analysis.shares import (
    HorizonAdvice,
    advise,
    best_shares,
    share_histogram,
)
from tuner.analysis.shifts import Shift
from tuner.analysis.staleness import Change, budget_conditions, changed_conditions
from tuner.analysis.steps import StepsKnown, steps_known
from tuner.analysis.telling import recheck, transfer_verdict
from tuner.analysis.thinning import thin
from tuner.analysis.transfer import Transfer, as_space, transfers

__all__ = [
    "Adoption",
    "Agreement",
    "Candidate",
    "Change",
    "Correlation",
    "Edge",
    "Evidence",
    "Fastest",
    "Finding",
    "HorizonAdvice",
    "Lint",
    "Regret",
    "Shift",
    "StepsKnown",
    "Transfer",
    "Verdict",
    "advise",
    "as_space",
    "as_trials",
    "best_first",
    "best_shares",
    "best_so_far",
    "best_steps",
    "budget_conditions",
    "changed_conditions",
    "compare_combinations",
    "compare_extensions",
    "compare_with_baseline",
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
    "rank_agreement",
    "recheck",
    "roots",
    "seam_rates",
    "select",
    "share_histogram",
    "steps_by_rate",
    "steps_known",
    "thin",
    "transfer_verdict",
    "transfers",
    "with_lineage",
    "with_own_results",
    "with_ties",
]
