"""Schedules become longer by two phases alone, and share all that comes before."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.study.extension import LengthenConstant, LengthenDecay, Stretch
from tuner.study.schedule import (
    Schedule,
    cosine,
    shared_prefix,
    warmup_constant_decay,
)

# Known answers of the Deep Learning Tuning Playbook (Round 2 schedules).

LINEAR = warmup_constant_decay(0.1, 1000, decay_steps=400)


def test_lengthening_the_constant_phase_keeps_the_decay():
    longer = LengthenConstant()(LINEAR, 3000)
    assert (longer.constant_steps, longer.decay_steps) == (2600, 400)


def test_the_rate_is_the_same_at_the_same_distance_from_the_end():
    longer = LengthenConstant()(LINEAR, 3000)
    assert np.array_equal(longer.rates()[-1000:], LINEAR.rates())


def test_a_run_goes_on_from_where_its_decay_began():
    assert shared_prefix(LINEAR, LengthenConstant()(LINEAR, 3000)) == 601


def test_lengthening_the_constant_phase_of_a_pure_decay_inserts_one():
    pure = warmup_constant_decay(0.1, 1000, warmup_steps=100, decay_fraction=0.9)
    longer = LengthenConstant()(pure, 3000)
    assert (longer.constant_steps, longer.decay_steps) == (2000, 900)
    assert shared_prefix(pure, longer) == 101


def test_several_decays_branch_off_one_constant_phase():
    plateau = Schedule(peak=0.1, constant_steps=1000)
    phases = {
        steps: (longer.constant_steps, longer.decay_steps)
        for steps in (100, 500)
        for longer in [LengthenConstant(decay_steps=steps)(plateau, 2000)]
    }
    assert phases == {100: (1900, 100), 500: (1500, 500)}


def test_a_stretched_cosine_has_the_same_rate_at_the_same_share_after_warmup():
    short = cosine(0.1, 1050, warmup_steps=50)
    longer = Stretch()(short, 3050)
    assert np.array_equal(longer.rates()[50::3], short.rates()[50:])


def test_stretching_keeps_the_shares_of_constant_phase_and_decay():
    short = warmup_constant_decay(0.1, 1100, warmup_steps=100, decay_steps=400)
    longer = Stretch()(short, 2100)
    assert (longer.constant_steps, longer.decay_steps) == (1200, 800)


def test_stretching_rounds_the_decay_to_whole_steps():
    longer = Stretch()(Schedule(peak=1, constant_steps=2, decay_steps=1), 10)
    assert (longer.constant_steps, longer.decay_steps) == (7, 3)  # 10 / 3 is 3.33


def test_lengthening_the_decay_keeps_the_constant_phase():
    longer = LengthenDecay()(LINEAR, 3000)
    assert (longer.constant_steps, longer.decay_steps) == (600, 2400)


EXTENSIONS = [LengthenConstant(), Stretch(), LengthenDecay()]
each_extension = pytest.mark.parametrize("extend", EXTENSIONS, ids=repr)


@each_extension
def test_a_schedule_without_decay_goes_on(extend):
    short = Schedule(peak=1, warmup_steps=5, constant_steps=5, decay="none")
    assert extend(short, 30) == dataclasses.replace(short, constant_steps=25)


@each_extension
def test_an_inverse_square_root_goes_on(extend):
    short = Schedule(
        peak=1, warmup_steps=5, constant_steps=5, decay_steps=10, decay="inverse_sqrt"
    )
    assert extend(short, 50) == dataclasses.replace(short, decay_steps=40)


def test_extensions_describe_themselves():
    extensions = [LengthenConstant(decay_steps=100), Stretch(), LengthenDecay()]
    assert [extend.describe() for extend in extensions] == [
        {"type": "LengthenConstant", "decay_steps": 100},
        {"type": "Stretch"},
        {"type": "LengthenDecay"},
    ]


# Laws, for every schedule.


@given(steps=st.integers(1001, 9999), more=st.integers(1, 9999))
@pytest.mark.parametrize("extend", [LengthenConstant(), LengthenDecay()], ids=repr)
def test_extending_twice_is_extending_once(extend, steps, more):
    twice = extend(extend(LINEAR, steps), steps + more)
    assert twice == extend(LINEAR, steps + more)


@st.composite
def schedules(draw):
    decay = draw(
        st.sampled_from(["linear", "cosine", "1-sqrt", "inverse_sqrt", "none"])
    )
    steps = st.integers(0, 60)
    endless = decay in ("inverse_sqrt", "none")
    return Schedule(
        peak=draw(st.floats(1e-6, 10)),
        warmup_steps=draw(steps),
        constant_steps=draw(st.integers(1, 60) if decay == "none" else steps),
        decay_steps=0 if decay == "none" else draw(st.integers(1, 60)),
        decay=decay,
        final_fraction=0.0 if endless else draw(st.floats(0, 1)),
    )


@each_extension
@given(schedule=schedules(), more=st.integers(1, 200))
def test_an_extension_reaches_its_horizon(extend, schedule, more):
    steps = schedule.max_train_steps + more
    assert extend(schedule, steps).max_train_steps == steps


@each_extension
@given(schedule=schedules(), more=st.integers(1, 200))
def test_an_extension_changes_nothing_but_two_phases(extend, schedule, more):
    longer = extend(schedule, schedule.max_train_steps + more)
    phases = {
        name: getattr(schedule, name) for name in ("constant_steps", "decay_steps")
    }
    assert dataclasses.replace(longer, **phases) == schedule


@each_extension
@given(schedule=schedules(), more=st.integers(1, 200))
def test_no_extension_changes_a_rate_of_the_prefix(extend, schedule, more):
    longer = extend(schedule, schedule.max_train_steps + more)
    assert shared_prefix(schedule, longer) >= schedule.prefix_steps


@given(schedule=schedules(), more=st.integers(1, 200))
def test_a_lengthened_constant_phase_keeps_every_rate_of_the_decay(schedule, more):
    longer = LengthenConstant()(schedule, schedule.max_train_steps + more)
    if schedule.decay in ("linear", "cosine", "1-sqrt"):
        decay = schedule.rates()[-schedule.decay_steps :]
        assert np.array_equal(longer.rates()[-schedule.decay_steps :], decay)


@given(schedule=schedules(), more=st.integers(1, 200))
def test_stretched_shares_are_right_to_half_a_step(schedule, more):
    longer = Stretch()(schedule, schedule.max_train_steps + more)
    if schedule.decay in ("linear", "cosine", "1-sqrt"):
        before = schedule.constant_steps + schedule.decay_steps
        share = schedule.decay_steps / before
        assert abs(longer.decay_steps - share * (before + more)) <= 0.5 + 1e-9


# Errors.


@each_extension
def test_an_extension_is_longer(extend):
    with pytest.raises(
        ValueError, match=r"\(max_train_steps=1000\) for one of 1000 st"
    ):
        extend(LINEAR, 1000)


@each_extension
def test_a_function_has_no_phases_to_lengthen(extend):
    with pytest.raises(
        TypeError, match=r"return a tuner\.Schedule, or pass as extend="
    ):
        extend(lambda count: 0.1, 1000)


def test_a_constant_phase_never_gets_shorter():
    rule = "a decay of 700 of 1200 steps would leave 500 of its 600: shorten the decay"
    with pytest.raises(ValueError, match=rule):
        LengthenConstant(decay_steps=700)(LINEAR, 1200)


@pytest.mark.parametrize("decay", ["none", "inverse_sqrt"])
def test_what_has_no_end_gets_no_decay(decay):
    schedule = Schedule(peak=0.1, constant_steps=10, decay=decay)
    with pytest.raises(ValueError, match=f"decay='{decay}' has no length, but got"):
        LengthenConstant(decay_steps=5)(schedule, 20)


def test_a_new_decay_is_whole_steps():
    with pytest.raises(ValueError, match="phases are whole steps: `decay_steps` must"):
        LengthenConstant(decay_steps=-1)
