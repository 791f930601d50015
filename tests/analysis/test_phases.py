import numpy as np
import polars as pl
import pytest

from tuner.analysis.phases import decay_begins
from tuner.study.schedule import Schedule


def curve(trial, rates):
    return pl.DataFrame(
        {
            "trial": np.full(len(rates), trial, np.int32),
            "step": np.arange(1, len(rates) + 1, dtype=np.int32),
            "learning_rate": np.asarray(rates, np.float32),
        }
    )


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([0, 1, 2, 2, 2, 1, 0], 5),
        ([2, 1, 0], 1),
        ([0, 1, 2, 2], None),  # constant to the end
        ([0, 1], None),  # still warming up
    ],
)
def test_the_last_step_at_the_peak_is_where_it_begins(rates, expected):
    assert decay_begins(curve(3, rates)).row(0) == (3, expected)


@pytest.mark.parametrize("decay", ["linear", "cosine", "1-sqrt"])
def test_it_is_where_the_schedule_says(decay):
    schedule = Schedule(
        peak=0.1, warmup_steps=10, constant_steps=30, decay_steps=20, decay=decay
    )
    # the first step of the decay is still at the peak
    assert decay_begins(curve(0, schedule.rates())).row(0) == (0, 41)


def test_each_trial_has_its_own():
    both = pl.concat([curve(0, [1, 1, 0]), curve(1, [1, 0, 0])])
    assert decay_begins(both).rows() == [(0, 2), (1, 1)]
