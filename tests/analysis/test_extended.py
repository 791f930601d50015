import numpy as np
import polars as pl
import pytest

import tuner
from tuner.analysis import lint_extension, lint_promoted, seam_rates


def constant_then_linear(steps, decay_steps):
    return tuner.warmup_constant_decay(1.0, steps, decay_steps=decay_steps)


def found(parent, child, **options):
    """The lints by name, of schedules or of arrays of rates."""
    arrays = [s if isinstance(s, np.ndarray) else s.rates() for s in (parent, child)]
    return {each.name: each.text for each in lint_extension(*arrays, **options)}


def rates(*stretches):
    """Rates from pairs of a rate and its number of steps."""
    return np.concatenate([np.full(n, rate, np.float32) for rate, n in stretches])


SHORT = constant_then_linear(1000, 400)


def test_d9_a_longer_constant_phase_is_a_good_extension():
    long = tuner.LengthenConstant()(SHORT, 3000)
    assert (long.constant_steps, long.decay_steps) == (2600, 400)
    assert found(SHORT, long, start_step=600) == {}


def test_d9_a_stretched_cosine_is_one_too():
    short = tuner.cosine(1.0, 1000)
    assert found(short, tuner.Stretch()(short, 4000)) == {}


def test_d9_a_lengthened_decay_is_one_too():
    assert found(SHORT, tuner.LengthenDecay()(SHORT, 4000), start_step=600) == {}


# The seam


def test_d9_the_seam_is_where_the_rates_part():
    frame = seam_rates(rates((1, 3), (0.5, 1)), rates((1, 5), (0.5, 1)))
    assert frame.rows() == [
        (1, 1, 1, True),
        (2, 1, 1, True),
        (3, 1, 1, True),
        (4, 0.5, 1, False),
        (5, None, 1, False),
        (6, None, 0.5, False),
    ]


def test_d9_going_on_beyond_the_shared_prefix_is_found():
    long = tuner.LengthenConstant()(SHORT, 3000)
    # of the decay's steps the first is still at the peak: the prefix has 601
    assert found(SHORT, long, start_step=601) == {}
    assert found(SHORT, long, start_step=602) == {
        "seam": "it goes on from step 602, but its rates are its parent's up to step "
        "601 only"
    }


def test_d9_a_rate_that_jumps_at_the_seam_is_found():
    # the parent's decay was trained through, then the rate went up again
    child = np.concatenate([SHORT.rates(), rates((0.5, 1000))])
    assert found(SHORT, child)["seam"] == (
        "its rate jumps from 0.0025 to 0.5 after step 1,000, where it leaves its "
        "parent's"
    )


def test_d9_a_jump_no_larger_than_its_parents_is_none():
    parent = rates((1, 50), (0.5, 50))
    assert found(parent, rates((1, 40), (0.5, 160))) == {}
    assert "seam" in found(parent, rates((1, 40), (0.4, 160)))


def test_d9_the_warm_up_is_no_excuse_for_a_jump():
    parent = rates((0, 1), (1, 99))
    assert "seam" in found(parent, rates((0, 1), (1, 99), (0.5, 100)))


def test_d9_schedules_that_share_nothing_have_no_seam():
    assert found(rates((1, 100)), rates((0.5, 200))) == {}


# Added steps at a low rate


def test_d10_an_inverse_square_root_that_was_tuned_short_adds_steps_at_low_rates():
    # 1 / sqrt(s) is below a tenth from step 101 on
    parent, child = (1 / np.sqrt(np.arange(1, steps + 1)) for steps in (100, 1000))
    assert found(parent, child)["low rates"] == (
        "100% of the 900 added steps have a rate below a tenth of the peak"
    )


def test_d10_a_cosine_to_zero_always_has_a_fifth_at_low_rates():
    short = tuner.cosine(1.0, 1000).rates()
    long = tuner.cosine(1.0, 4000).rates()
    share = ((long < 0.1).sum() - (short < 0.1).sum()) / 3000
    assert share == pytest.approx(0.205, abs=1e-3)  # whole steps
    assert found(short, long) == {}


@pytest.mark.parametrize(("low", "says"), [(50, False), (51, True)])
def test_d10_fires_above_one_half_of_the_added_steps(low, says):
    parent, child = rates((1, 100)), rates((1, 200 - low), (0.09, low))
    assert ("low rates" in found(parent, child)) == says


def test_d10_what_the_parent_had_at_low_rates_was_not_added():
    parent = rates((1, 100), (0.09, 100))
    assert "low rates" not in found(parent, rates((1, 200), (0.09, 100)))


# The decay


@pytest.mark.parametrize(("horizon", "says"), [(4000, False), (4001, True)])
def test_d9_a_decay_shorter_than_a_tenth_of_the_horizon_is_found(horizon, says):
    long = tuner.LengthenConstant()(SHORT, horizon)
    assert ("short decay" in found(SHORT, long)) == says


def test_d9_the_text_on_a_short_decay_has_its_numbers():
    long = tuner.LengthenConstant()(SHORT, 8000)
    assert found(SHORT, long) == {
        "short decay": "its decay takes 400 of 8,000 steps, 5.0%"
    }


def test_a_rate_that_does_not_decay_has_no_short_decay():
    assert found(rates((1, 100)), rates((1, 395), (0.5, 5))) == {}


# AdamW's timescale


def test_d8_a_weight_decay_that_stays_while_the_horizon_grows_is_found():
    # 1 / (0.5 x 0.002) steps are one horizon of 1,000, and a quarter of 4,000
    short = tuner.cosine(0.5, 1000)
    texts = found(short, tuner.Stretch()(short, 4000), weight_decays=(0.002, 0.002))
    assert texts == {
        "weight decay": "AdamW's timescale falls from 1 to 0.25 horizons, since the "
        "weight decay of 0.002 stayed"
    }


@pytest.mark.parametrize(
    "weight_decays", [(), (0.002, 0.0005), (0.0, 0.0), (1e-5, 1e-5)]
)
def test_d8_none_an_adapted_or_a_negligible_one_is_not(weight_decays):
    short = tuner.cosine(0.5, 1000)
    long = tuner.Stretch()(short, 4000)
    assert found(short, long, weight_decays=weight_decays) == {}


# Of a run


def promoted(child, **columns):
    """A trial of 100 steps and its child, as a run has them."""
    curves = [rates((1, 100)), child]
    updates = pl.concat(
        pl.DataFrame(
            {"trial": trial, "step": range(1, len(c) + 1), "learning_rate": c},
            schema_overrides={"trial": pl.Int32},
        )
        for trial, c in enumerate(curves)
    )
    trials = pl.DataFrame(
        {
            "trial": pl.Series([0, 1], dtype=pl.Int32),
            "parent": pl.Series([None, 0], dtype=pl.Int32),
            "round": [1, 2],
            "start_step": [0, 100],
            "status": ["complete", "complete"],
            **columns,
        }
    )
    return trials, updates


def test_promoted_trials_are_looked_at_with_what_they_were_trained_with():
    under_a_choice = {"hp.optimizer.adamw.weight_decay": [0.1, 0.1]}
    lints = lint_promoted(*promoted(rates((1, 395), (0, 5)), **under_a_choice))
    assert lints.select("lint", "trial", "round").rows() == [
        ("short decay", 1, 2),
        ("weight decay", 1, 2),
    ]


def test_d9_what_went_on_from_a_relative_is_not_held_to_its_parents_prefix():
    child = rates((1, 50), (0.95, 150))
    own = lint_promoted(*promoted(child, resumed_from=[None, 0]))
    assert own["lint"].to_list() == ["seam"]
    assert lint_promoted(*promoted(child, resumed_from=[None, 7])).is_empty()


def test_a_child_that_has_not_ended_is_not_looked_at():
    running = {"status": ["complete", "running"]}
    assert lint_promoted(*promoted(rates((1, 395), (0, 5)), **running)).is_empty()
