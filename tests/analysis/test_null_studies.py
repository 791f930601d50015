"""Where nothing matters hardly anything is claimed: all verdicts, the same studies."""

import numpy as np
import polars as pl
from simulated import NOISES, SPACE, null_study

from tuner import analysis

FIRM_ADVICE = ("too long", "too short")


def searched(trials, chance):
    """The trials with hyperparameters that had no effect, the same for each sample."""
    values = {
        "hp.learning_rate": 10 ** chance.uniform(-4, -1, 64),
        "hp.weight_decay": 10 ** chance.uniform(-6, -1, 64),
        "hp.warmup_steps": chance.integers(0, 101, 64),
        "hp.activation": chance.choice(["relu", "tanh"], 64),
    }
    of_sample = pl.DataFrame({"sample": np.arange(64), **values})
    first = pl.int_range(pl.len()) < 64
    return trials.join(of_sample, on="sample", maintain_order="left").with_columns(
        round=pl.when(first).then(1).otherwise(2),
        combination=pl.lit("{}"),
        replicate=pl.lit(0),
        start_step=pl.lit(0),
        control=pl.lit(False),
        parent=pl.when(first).then(None).otherwise(pl.col("sample")),
    )


def test_of_200_null_studies_at_most_a_tenth_get_any_firm_claim():
    claimed = 0
    for seed in range(200):
        chance = np.random.default_rng(seed)
        frames = null_study(chance, NOISES[seed % 4], decay=seed % 8 < 4)
        trials = searched(frames[0], chance)
        verdict = analysis.compute_bound(*frames, objective="loss").says
        advice = analysis.advise(*frames, is_compute_bound=verdict == "compute-bound")
        found = analysis.transfers(trials, SPACE)
        firm = [verdict != "cannot tell", *(each.is_firm for each in found)]
        firm += [each.says in FIRM_ADVICE for each in advice]
        claimed += any(firm)
    assert claimed <= 20
