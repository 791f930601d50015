"""The noisy quadratic model, whose expected loss has a recurrence and no chance in it.

Guodong Zhang et al., Which Algorithmic Choices Matter at Which Batch Sizes? Insights
From a Noisy Quadratic Model, 2019, https://arxiv.org/abs/1907.04164
"""

import numpy as np
import polars as pl

CURVATURE = 1 / np.arange(1, 1001)
NOISE = CURVATURE
EVALUATIONS = 25  # of a run

SHAPES = {
    "constant": lambda steps: np.ones(steps),
    "linear": lambda steps: 1 - np.arange(steps) / steps,
    "cosine": lambda steps: (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2,
    "wsd": lambda steps: np.minimum(1, 5 * (1 - np.arange(steps) / steps)),
}


def losses(rates, batch_size=1):
    """The expected loss after each step: rows are trials, `rates[trials, steps]`."""
    squares = np.ones((len(rates), len(CURVATURE)))
    after = []
    for rate in rates.T[:, :, None]:
        squares = (1 - rate * CURVATURE) ** 2 * squares + rate**2 * NOISE / batch_size
        after.append(squares @ CURVATURE / 2)
    return np.array(after).T


def study(shape, horizons, *, num_trials=24, keep=8, seed=0):
    """Trials, evaluations and updates of rounds in which the best rates go on."""
    peaks = np.exp(np.random.default_rng(seed).uniform(-3, 0.64, num_trials))
    trials, curves, first, chosen = [], [], 0, np.arange(num_trials)
    for number, steps in enumerate(horizons, 1):
        rates = peaks[chosen][:, None] * SHAPES[shape](steps)
        frame = _curves(first, rates, losses(rates))
        curves.append(frame)
        trials.append(_trials(frame, number, steps, chosen, peaks))
        best = trials[-1].sort("best_objective").head(keep)
        chosen, first = best["sample"].to_numpy(), first + len(chosen)
    whole = pl.concat(curves)
    every = pl.col("step") % (pl.col("step").max() // EVALUATIONS)
    evaluated = whole.filter(every.over("trial") == 0)
    evaluations = evaluated.select("trial", "step", pl.col("train/loss").alias("loss"))
    return pl.concat(trials), evaluations, whole


def _curves(first, rates, values):
    trials, steps = rates.shape
    return pl.DataFrame(
        {
            "trial": np.repeat(np.arange(first, first + trials), steps),
            "step": np.tile(np.arange(1, steps + 1), trials),
            "learning_rate": rates.ravel(),
            "train/loss": values.ravel(),
        }
    )


def _trials(curves, number, steps, samples, peaks):
    best = curves.group_by("trial", maintain_order=True).agg(
        best_step=pl.col("step").get(pl.col("train/loss").arg_min()),
        best_objective=pl.col("train/loss").min(),
    )
    return best.with_columns(
        pl.Series("sample", samples),
        pl.Series("hp.learning_rate", peaks[samples]),
        pl.lit(None, pl.Float64).alias("tie"),
        pl.lit("complete").alias("status"),
        pl.lit(steps).alias("max_train_steps"),
        pl.lit(number).alias("round"),
    )
