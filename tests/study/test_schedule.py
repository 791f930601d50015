import json

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import tuner
from tuner.study.schedule import (
    Schedule,
    cosine,
    rates_of,
    shared_prefix,
    warmup_constant_decay,
)

ROUNDED = 1e-7  # one rounding to float32

# Known answers.

RATES = [
    ({"warmup_steps": 4}, [0, 0.5, 1, 1.5]),
    ({"constant_steps": 3}, [2, 2, 2]),
    ({"decay_steps": 4}, [2, 1.5, 1, 0.5]),
    ({"decay_steps": 4, "final_fraction": 0.5}, [2, 1.75, 1.5, 1.25]),
    ({"decay_steps": 4, "decay": "cosine"}, [2, 1 + 0.5**0.5, 1, 1 - 0.5**0.5]),
    ({"decay_steps": 4, "decay": "1-sqrt"}, [2, 1, 2 - 2**0.5, 2 - 3**0.5]),
    ({"decay_steps": 4, "decay": "inverse_sqrt"}, [2, 2**0.5, 2 / 3**0.5, 1]),
    # Half the peak when the decay took three times as long as the warm-up.
    (
        {"warmup_steps": 2, "decay_steps": 7, "decay": "inverse_sqrt"},
        [0, 1, *(2 * (2 / (2 + t)) ** 0.5 for t in range(6)), 1],
    ),
    ({"constant_steps": 2, "decay": "none"}, [2, 2]),
    ({"warmup_steps": 2, "constant_steps": 2, "decay_steps": 2}, [0, 1, 2, 2, 2, 1]),
]


@pytest.mark.parametrize(("phases", "rates"), RATES)
def test_phases_follow_one_another(phases, rates):
    np.testing.assert_allclose(
        Schedule(peak=2, **phases).rates(), rates, rtol=ROUNDED, atol=ROUNDED
    )


PREFIXES = [
    # decay          warm-up, constant, decay   prefix
    ("linear", (10, 60, 30), 71),  # count 70, the decay's first, is at the peak
    ("linear", (10, 0, 90), 11),
    ("cosine", (0, 0, 100), 1),
    ("linear", (10, 90, 0), 100),
    ("none", (10, 90, 0), 100),
    ("inverse_sqrt", (10, 0, 90), 100),
]


@pytest.mark.parametrize(("decay", "phases", "prefix"), PREFIXES)
def test_the_prefix_ends_where_the_decay_begins(decay, phases, prefix):
    names = ("warmup_steps", "constant_steps", "decay_steps")
    schedule = Schedule(peak=1, decay=decay, **dict(zip(names, phases, strict=True)))
    assert schedule.prefix_steps == prefix


def test_a_decay_is_a_fraction_of_the_whole_horizon():
    made = warmup_constant_decay(0.1, 1000, warmup_steps=50, decay_fraction=0.2)
    assert made == Schedule(
        peak=0.1, warmup_steps=50, constant_steps=750, decay_steps=200
    )


def test_a_fraction_is_rounded_to_whole_steps():
    made = warmup_constant_decay(0.1, 10, decay_fraction=0.26)
    assert (made.constant_steps, made.decay_steps) == (7, 3)


def test_a_decay_may_be_given_in_steps():
    made = warmup_constant_decay(0.1, 1000, decay_steps=300, decay="1-sqrt")
    assert (made.constant_steps, made.decay_steps) == (700, 300)


def test_without_decay_the_rest_is_constant():
    made = warmup_constant_decay(0.1, 100, warmup_steps=10, decay="none")
    assert made.constant_steps == 90


def test_a_cosine_has_no_constant_phase():
    assert cosine(0.1, 100, warmup_steps=10, final_fraction=0.1) == Schedule(
        peak=0.1, warmup_steps=10, decay_steps=90, decay="cosine", final_fraction=0.1
    )


def test_a_function_is_called_with_the_updates_made_before():
    assert rates_of(lambda count: 0.5 * count, 4).tolist() == [0.0, 0.5, 1.0, 1.5]


def test_a_function_may_return_an_array_of_jax():
    assert rates_of(lambda count: jnp.float32(count), 3).tolist() == [0, 1, 2]


def test_rates_of_a_schedule_are_its_own():
    schedule = cosine(0.1, 10)
    assert np.array_equal(rates_of(schedule, 10), schedule.rates())


SHARED = [
    ([1, 2, 3], [1, 2, 3], 3),
    ([1, 2, 3], [1, 2, 3, 4], 3),
    ([1, 2, 3], [1, 5, 3], 1),
    ([1, 2, 3], [0, 2, 3], 0),
    ([1], [1, 1], 1),
]


@pytest.mark.parametrize(("old", "new", "steps"), SHARED)
def test_the_shared_prefix_ends_at_the_first_difference(old, new, steps):
    assert shared_prefix(np.float32(old), np.float32(new)) == steps


# Equivalences.

OPTAX = {
    "linear": (
        warmup_constant_decay(
            0.1, 100, warmup_steps=10, decay_fraction=0.3, final_fraction=0.1
        ),
        optax.join_schedules(
            [
                optax.linear_schedule(0, 0.1, 10),
                optax.constant_schedule(0.1),
                optax.linear_schedule(0.1, 0.01, 30),
            ],
            [10, 70],
        ),
    ),
    "pure linear": (
        warmup_constant_decay(0.1, 100, decay_fraction=1),
        optax.linear_schedule(0.1, 0, 100),
    ),
    "cosine": (
        cosine(0.1, 100, final_fraction=0.1),
        optax.cosine_decay_schedule(0.1, 100, alpha=0.1),
    ),
    "cosine with warm-up": (
        cosine(0.1, 100, warmup_steps=10, final_fraction=0.1),
        optax.warmup_cosine_decay_schedule(0, 0.1, 10, 100, end_value=0.01),
    ),
    "warm-up": (
        warmup_constant_decay(0.1, 100, warmup_steps=10, decay="none"),
        optax.warmup_constant_schedule(0, 0.1, 10),
    ),
    "constant": (
        warmup_constant_decay(0.1, 100, decay="none"),
        optax.constant_schedule(0.1),
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), OPTAX.values(), ids=OPTAX)
def test_schedules_are_those_of_optax(ours, theirs):
    # Optax computes in float32, to 1e-6 of the peak where a small rate is a difference.
    np.testing.assert_allclose(
        ours.rates(), rates_of(theirs, 100), rtol=1e-6, atol=1e-6 * ours.peak
    )


# Laws, for every schedule.

SCHEDULES = {
    "linear": warmup_constant_decay(0.1, 50, warmup_steps=5, decay_steps=20),
    "pure linear": warmup_constant_decay(0.1, 50, decay_fraction=1),
    "linear to a tenth": warmup_constant_decay(
        0.1, 50, decay_steps=20, final_fraction=0.1
    ),
    "cosine": cosine(0.1, 50),
    "cosine with warm-up": cosine(0.1, 50, warmup_steps=5, final_fraction=0.3),
    "1-sqrt": warmup_constant_decay(
        0.1, 50, warmup_steps=5, decay_steps=10, decay="1-sqrt"
    ),
    "inverse square root": warmup_constant_decay(
        0.1, 50, warmup_steps=5, decay_steps=45, decay="inverse_sqrt"
    ),
    "none": warmup_constant_decay(0.1, 50, warmup_steps=5, decay="none"),
    "constant": Schedule(peak=0.1, constant_steps=50),
    "warm-up alone": Schedule(peak=0.1, warmup_steps=50),
    "zero": Schedule(peak=0.0, warmup_steps=5, decay_steps=45),
}

each_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)


@each_schedule
def test_there_is_one_rate_an_update(schedule):
    assert schedule.rates().shape == (schedule.max_train_steps,) == (50,)


@each_schedule
def test_it_begins_at_zero_or_at_the_peak(schedule):
    first = 0 if schedule.warmup_steps else np.float32(schedule.peak)
    assert schedule.rates()[0] == first


@each_schedule
def test_it_stays_at_the_peak_until_after_the_first_step_of_the_decay(schedule):
    stays = schedule.rates()[schedule.warmup_steps :][: schedule.constant_steps + 1]
    assert (stays == np.float32(schedule.peak)).all()


@each_schedule
def test_it_rises_to_the_end_of_the_warmup_and_never_again(schedule):
    rises = np.diff(schedule.rates()) > 0
    assert not rises[schedule.warmup_steps :].any()


@each_schedule
def test_its_literal_is_itself(schedule):
    assert eval(schedule.literal(), {"tuner": tuner}) == schedule


@each_schedule
def test_its_description_is_json_and_makes_it_again(schedule):
    assert Schedule(**json.loads(json.dumps(schedule.describe()))) == schedule


# Errors.


@pytest.mark.parametrize("name", ["warmup_steps", "constant_steps", "decay_steps"])
@pytest.mark.parametrize("value", [-1, 10.5, 10.0, True])
@pytest.mark.usefixtures("untyped")
def test_phases_are_whole_steps(name, value):
    rule = rf"phases are whole steps: `{name}` must be an int >= 0, but got {value}"
    with pytest.raises(ValueError, match=rule):
        Schedule(peak=0.1, **{"constant_steps": 1, name: value})


@pytest.mark.usefixtures("untyped")
def test_a_horizon_is_whole_steps():
    with pytest.raises(
        ValueError, match=r"`max_train_steps` must be an int.*got 99\.5"
    ):
        warmup_constant_decay(0.1, 99.5, decay_fraction=0.1)


def test_a_schedule_has_steps():
    with pytest.raises(ValueError, match="must have at least one step, but got none"):
        Schedule(peak=0.1)


def test_an_unknown_decay_lists_the_known_nearest_first():
    with pytest.raises(
        ValueError, match="unknown decay 'inverse': did you mean 'inver"
    ):
        Schedule(peak=0.1, decay_steps=10, decay="inverse")


def test_the_peak_is_not_negative():
    with pytest.raises(ValueError, match=r"`peak >= 0` must hold, but got \(peak=-0"):
        Schedule(peak=-0.1, constant_steps=1)


def test_the_peak_is_finite():
    with pytest.raises(ValueError, match="`peak` must be finite, but got inf"):
        Schedule(peak=float("inf"), constant_steps=1)


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_the_final_rate_is_a_fraction_of_the_peak(fraction):
    with pytest.raises(ValueError, match="`0 <= final_fraction <= 1` must hold, but"):
        Schedule(peak=0.1, decay_steps=1, final_fraction=fraction)


def test_without_decay_there_are_no_steps_of_it():
    with pytest.raises(ValueError, match="`decay_steps == 0` must hold with decay='no"):
        Schedule(peak=0.1, decay_steps=1, decay="none")


@pytest.mark.parametrize("decay", ["none", "inverse_sqrt"])
def test_without_an_end_there_is_no_final_rate(decay):
    rule = f"`final_fraction == 0` must hold with decay='{decay}', which has no end"
    with pytest.raises(ValueError, match=rule):
        Schedule(peak=0.1, constant_steps=1, decay=decay, final_fraction=0.1)


def test_warmup_and_decay_fit_into_the_horizon():
    rule = (
        r"must hold, but got \(warmup_steps=80, decay_steps=30, max_train_steps=100\)"
    )
    with pytest.raises(ValueError, match=rule):
        warmup_constant_decay(0.1, 100, warmup_steps=80, decay_fraction=0.3)


def test_the_warmup_of_a_cosine_fits_into_the_horizon():
    rule = (
        r"must hold, but got \(warmup_steps=120, decay_steps=0, max_train_steps=100\)"
    )
    with pytest.raises(ValueError, match=rule):
        cosine(0.1, 100, warmup_steps=120)


@pytest.mark.parametrize("given", [{}, {"decay_fraction": 0.1, "decay_steps": 10}])
def test_a_decay_has_one_length(given):
    with pytest.raises(
        ValueError, match="exactly one of `decay_fraction` and `decay_s"
    ):
        warmup_constant_decay(0.1, 100, **given)


@pytest.mark.parametrize("given", [{"decay_fraction": 0.1}, {"decay_steps": 0}])
def test_no_decay_has_no_length(given):
    with pytest.raises(ValueError, match="decay='none' has no length, but got"):
        warmup_constant_decay(0.1, 100, decay="none", **given)


def test_a_decay_is_a_fraction_of_the_horizon():
    with pytest.raises(ValueError, match="`0 <= decay_fraction <= 1` must hold, but"):
        warmup_constant_decay(0.1, 100, decay_fraction=30)


def test_the_phases_add_up_to_the_horizon():
    rule = (
        r"add up to `max_train_steps`, but got \(0 \+ 600 \+ 400 = 1000, max_train_st"
    )
    with pytest.raises(ValueError, match=rule):
        rates_of(warmup_constant_decay(0.1, 1000, decay_steps=400), 2000)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.1, 1e39])
def test_the_rates_of_a_function_are_finite_and_not_negative(rate):
    rule = r"finite and >= 0, but step 3 \(the schedule at count 2\) got"
    with pytest.raises(ValueError, match=rule):
        rates_of(lambda count: rate if count == 2 else 0.1, 5)


@pytest.mark.usefixtures("untyped")
def test_a_number_is_no_schedule():
    with pytest.raises(
        TypeError, match=r"a tuner\.Schedule or a function of the count"
    ):
        rates_of(0.1, 5)
