"""Studies of two rounds without training: results drawn with NumPy, as frames."""

from collections.abc import Callable

import numpy as np
import polars as pl

OTHERWISE = {"role": "nuisance", "kind": None, "off": None, "hard": None}
SPACE = {
    "learning_rate": OTHERWISE
    | {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "weight_decay": OTHERWISE
    | {"type": "float", "low": 1e-6, "high": 1e-1, "log": True},
    "warmup_steps": OTHERWISE
    | {"type": "int", "low": 0, "high": 100, "log": False, "kind": "warm-up"},
    "activation": OTHERWISE
    | {"type": "choice", "values": ["relu", "tanh"], "kind": "architecture"},
}
STEPS = (500, 2000)

Truth = Callable[[np.ndarray, int], np.ndarray]


def flat(rate: np.ndarray, steps: int) -> np.ndarray:
    """Nothing matters."""
    return np.zeros_like(rate)


def falling(rate: np.ndarray, steps: int) -> np.ndarray:
    """A parabola in the logarithm of the rate, whose bottom falls by 1 / sqrt(steps).

    It lies at 10^-2 for 500 steps, at 5 x 10^-3 for 2,000.
    """
    return 0.1 * (np.log10(rate) + 2 + 0.5 * np.log10(steps / 500)) ** 2


def two_rounds(
    seed: int,
    *,
    truth: Truth = flat,
    noise: float = 0.1,
    trials: int = 64,
    keep: int = 16,
    control: int = 0,
) -> pl.DataFrame:
    """So many trials of 500 steps, the best and some control trials at 2,000 too."""
    rng = np.random.default_rng(seed)
    rate = 10 ** rng.uniform(-4, -1, trials)
    decay = 10 ** rng.uniform(-6, -1, trials)
    warmup = rng.integers(0, 101, trials)
    short = truth(rate, STEPS[0]) + noise * rng.normal(size=trials)
    order = np.argsort(short)
    others = rng.choice(order[keep:], control, replace=False) if control else []
    went_on = np.concatenate([order[:keep], others]).astype(int)
    long = truth(rate[went_on], STEPS[1]) + noise * rng.normal(size=len(went_on))
    sample = np.concatenate([np.arange(trials), went_on])
    rounds = np.repeat([1, 2], [trials, len(went_on)])
    return pl.DataFrame(
        {
            "trial": np.arange(len(sample)),
            "sample": sample,
            "replicate": 0,
            "round": rounds,
            "combination": "{}",
            "parent": pl.Series([None] * trials + went_on.tolist(), dtype=pl.Int32),
            "start_step": 0,
            "status": "complete",
            "max_train_steps": np.repeat(STEPS, [trials, len(went_on)]),
            "best_objective": np.concatenate([short, long]),
            "tie": pl.Series([None] * len(sample), dtype=pl.Float64),
            "extend": pl.Series(
                [None] * trials + ["Stretch()"] * len(went_on), dtype=pl.String
            ),
            "control": np.arange(len(sample)) >= trials + keep,
            "hp.learning_rate": rate[sample],
            "hp.weight_decay": decay[sample],
            "hp.warmup_steps": warmup[sample],
            "hp.activation": np.where(sample % 2, "tanh", "relu"),
        }
    )


def definition(**study: object) -> dict[str, object]:
    """What `study.json` of such a study says."""
    declared = {
        "objective": {"metric": "valid/error", "direction": "minimize"},
        "space": SPACE,
        "rounds": [{"max_train_steps": steps} for steps in STEPS],
        "task": {"batch_size": 64, "training_examples": 1000},
        "eval_every": 5,
    }
    return {"study": declared | study, "data": "0123456789abcdef"}


EVERY = 25  # steps between evaluations


def offsets(chance, size):
    """Some trials are better than others."""
    return chance.normal(size=size) + 2 * chance.normal(size=(size[0], 1))


def remembers(chance, size):
    """What a trial is now it was before."""
    noise = chance.normal(size=size)
    for step in range(1, size[1]):
        noise[:, step] = 0.8 * noise[:, step - 1] + 0.6 * noise[:, step]
    return noise


# Of trials and evaluations, [trials, evaluations].
NOISES = [
    lambda chance, size: chance.normal(size=size),
    lambda chance, size: chance.standard_t(3, size=size),
    offsets,
    remembers,
]


def null_study(chance, noise, decay):
    """Curves of 500 and 2,000 steps that are noise; the best eight of 64 go on."""
    trials, evaluations, updates = [], [], []
    samples, first = np.arange(64), 0
    for horizon in (500, 2000):
        steps = np.arange(EVERY, horizon + 1, EVERY)
        size = len(samples), len(steps)
        valid, train = noise(chance, size), noise(chance, size)
        shares = np.tile(1 - steps / horizon, (len(samples), 1))
        rates = np.minimum(1, shares / 0.3) if decay else np.ones(size)
        numbers = np.arange(first, first + len(samples))
        columns = {
            "trial": np.repeat(numbers, len(steps)),
            "step": np.tile(steps, len(samples)),
        }
        evaluations.append(pl.DataFrame(columns | {"loss": valid.ravel()}))
        of_updates = {"learning_rate": rates.ravel(), "train/loss": train.ravel()}
        updates.append(pl.DataFrame(columns | of_updates))
        of_trials = {
            "trial": numbers,
            "sample": samples,
            "best_step": steps[valid.argmin(axis=1)],
            "best_objective": valid.min(axis=1),
        }
        frame = pl.DataFrame(of_trials)
        trials.append(frame.with_columns(max_train_steps=pl.lit(horizon)))
        samples, first = samples[valid.min(axis=1).argsort()[:8]], len(samples)
    whole = pl.concat(trials).with_columns(
        status=pl.lit("complete"), tie=pl.lit(None, pl.Float64)
    )
    return whole, pl.concat(evaluations), pl.concat(updates)
