import numpy as np
import polars as pl
import pytest
import quadratic
from simulated import NOISES, null_study

from tuner.analysis import advise, compute_bound

BOUND, NOT_BOUND, UNDECIDED = "compute-bound", "not compute-bound", "cannot tell"
EVERY = 25  # steps


def run(curve, *horizons, num_trials=12, keep=8, noise=0.002, seed=0, **more):
    """A run whose trials follow `curve(step)`, a little apart, by valid and train loss.

    The first of each round go on. `rates` is a function of the share of the run.
    """
    chance = np.random.default_rng(seed)
    rates = more.pop("rates", lambda share: np.minimum(1, (1 - share) / 0.2))
    train = more.pop("train", curve)
    trials, evaluations, updates, first = [], [], [], 0
    for horizon in horizons:
        steps = np.arange(EVERY, horizon + 1, EVERY)
        for sample in range(num_trials if not first else keep):
            trial = len(trials)
            valid = curve(steps) + noise * chance.normal(size=len(steps))
            best = valid.argmin()
            row = (trial, sample, "complete", horizon, steps[best], valid[best])
            trials.append(row)
            columns = {"trial": [trial] * len(steps), "step": steps}
            evaluations.append(columns | {"loss": valid, "examples": 8 * steps})
            losses = train(steps) + noise * chance.normal(size=len(steps))
            high = rates(steps / horizon)
            updates.append(columns | {"learning_rate": high, "train/loss": losses})
        first = len(trials)
    names = "trial sample status max_train_steps best_step best_objective"
    frame = pl.DataFrame(trials, schema=names.split(), orient="row")
    return (
        frame.with_columns(pl.lit(None, pl.Float64).alias("tie")),
        pl.concat(map(pl.DataFrame, evaluations)),
        pl.concat(map(pl.DataFrame, updates)),
    )


def verdict(frames, **options):
    return compute_bound(*frames, objective="loss", **options)


def by_kind(found):
    return {evidence.kind: evidence.says for evidence in found.evidence}


def power_law(steps):
    """Gains as much in every doubling as in the one before, nearly."""
    return steps**-0.2


def saturates(steps):
    """Has nothing left to gain after a few hundred steps."""
    return 0.1 + np.exp(-steps / 40)


def overfits(steps):
    return saturates(steps) + 3e-4 * np.maximum(steps - 300, 0)


# The same configuration at two horizons


def test_c9_configurations_that_gain_at_the_longer_horizon_are_compute_bound():
    found = verdict(run(power_law, 500, 2000))
    assert found.says == BOUND
    assert by_kind(found)["two horizons"] == BOUND
    assert found.settle == ""
    assert "Faster training is better training" in found.to_do


def test_c10_configurations_that_gain_nothing_are_not():
    found = verdict(run(saturates, 500, 2000))
    assert found.says == NOT_BOUND
    assert by_kind(found)["two horizons"] == NOT_BOUND
    assert "Longer training is unlikely to help" in found.to_do


def test_c10_the_training_loss_has_to_be_saturated_too():
    found = verdict(run(saturates, 500, 2000, train=power_law))
    assert by_kind(found)["two horizons"] == UNDECIDED


def test_d1_a_run_that_gets_worse_again_is_not_compute_bound_whatever_its_training():
    found = verdict(run(overfits, 500, 2000, train=power_law))
    assert by_kind(found)["two horizons"] == NOT_BOUND


def test_three_configurations_are_too_few():
    found = verdict(run(power_law, 500, 2000, num_trials=3, keep=3))
    assert found.says == UNDECIDED
    assert found.evidence[0].text.endswith("there are 3.")


def test_of_two_whole_rounds_the_better_half_counts():
    # the other half is a constant away, and falls with every step
    trials, evaluations, updates = run(saturates, 500, 2000, num_trials=8)
    poor = pl.col("trial") % 8 >= 4
    worse = poor * (0.5 - 2e-4 * pl.col("step"))
    frames = (
        trials.with_columns(best_objective=pl.col("best_objective") + 0.1 * poor),
        evaluations.with_columns(loss=pl.col("loss") + worse),
        updates,
    )
    found = verdict(frames)
    assert by_kind(found)["two horizons"] == NOT_BOUND
    kept = found.gains.filter(kind="two horizons")["trial"]
    assert kept.to_list() == [8, 9, 10, 11]


def test_an_annealed_run_and_one_that_is_not_are_no_pair():
    trials, evaluations, updates = run(power_law, 500, 2000)
    flat = pl.when(pl.col("trial") < 12).then(1.0).otherwise("learning_rate")
    frames = trials, evaluations, updates.with_columns(learning_rate=flat)
    assert verdict(frames).evidence[0].text.endswith("there are none.")


def test_children_by_several_rules_count_as_one_configuration():
    trials, evaluations, updates = run(power_law, 500, 2000, keep=3, num_trials=3)
    again = pl.col("trial") + 10
    long = pl.col("trial") >= 3
    frames = [
        pl.concat([frame, frame.filter(long).with_columns(trial=again)])
        for frame in (trials, evaluations, updates)
    ]
    assert verdict(frames).evidence[0].text.endswith("there are 3.")


def test_of_one_configuration_its_seeds_are_the_evidence():
    trials, evaluations, updates = run(power_law, 500, 2000)
    seeds = trials.with_columns(replicate=pl.col("sample"), sample=pl.lit(0))
    assert by_kind(verdict((seeds, evaluations, updates)))["two horizons"] == BOUND


def test_lineage_tells_which_trials_belong_together_where_nothing_else_does():
    trials, evaluations, updates = run(power_law, 500, 2000, num_trials=8)
    parents = pl.when(pl.col("trial") >= 8).then(pl.col("trial") - 8)
    frames = trials.drop("sample").with_columns(parent=parents), evaluations, updates
    assert by_kind(verdict(frames))["two horizons"] == BOUND


def test_logs_without_rates_have_the_evidence_of_two_horizons():
    trials, evaluations, _ = run(power_law, 500, 2000)
    found = compute_bound(trials, evaluations, objective="loss")
    assert (found.says, by_kind(found)["slope"]) == (BOUND, UNDECIDED)


def test_a_maximized_objective_is_the_mirror():
    def mirrored(steps):
        return 1 - power_law(steps)

    frames = run(mirrored, 500, 2000, train=power_law)
    assert verdict(frames, maximize=True).says == BOUND
    assert by_kind(verdict(frames))["two horizons"] != BOUND


# The slope where the rate is high


def test_c9_a_curve_that_still_falls_at_a_high_rate_is_compute_bound():
    found = verdict(run(power_law, 1000))
    assert by_kind(found) == {
        "two horizons": UNDECIDED,
        "slope": BOUND,
        "epochs": UNDECIDED,
    }
    assert found.says == BOUND


def test_c10_training_and_validation_saturated_long_before_the_end_are_not():
    assert by_kind(verdict(run(saturates, 1000)))["slope"] == NOT_BOUND


def test_c9_a_decayed_tail_is_no_evidence():
    def cosine(share):
        return (1 + np.cos(np.pi * share)) / 2

    # past half of the run a cosine is below half its peak, whatever the curve does
    for curve in (power_law, saturates):
        assert verdict(run(curve, 1000, rates=cosine)).says == UNDECIDED


def test_c9_a_gain_in_the_decay_keeps_a_plateau_from_being_saturated():
    def drops(steps):
        return 0.4 + np.exp(-steps / 40) - 0.3 * (steps > 850)

    assert by_kind(verdict(run(drops, 1000)))["slope"] == UNDECIDED


def test_d4_with_the_best_rate_on_the_edge_no_slope_counts():
    found = verdict(run(power_law, 1000), on_edge=["learning_rate"])
    assert found.says == UNDECIDED
    assert "too small a rate is still improving" in found.evidence[1].text


def test_fewer_than_twenty_evaluations_say_nothing():
    assert verdict(run(power_law, 19 * EVERY)).says == UNDECIDED


def test_trials_that_did_not_reach_their_horizon_say_nothing():
    trials, *curves = run(power_law, 1000)
    stopped = trials.with_columns(status=pl.lit("stopped"))
    found = verdict((stopped, *curves))
    assert (found.says, found.settle, found.trials.height) == (UNDECIDED, "", 0)


# Epochs


def test_c9_less_than_one_epoch_is_compute_bound_by_construction():
    # 8 examples a step
    found = verdict(run(saturates, 250), training_examples=8 * 250 + 1)
    assert (found.says, by_kind(found)["epochs"]) == (BOUND, BOUND)
    assert found.evidence[2].text == (
        "250 steps see 1 epochs of 2,001 examples: compute-bound by construction."
    )
    assert found.trials["by"].unique().to_list() == ["epochs"]


def test_one_epoch_decides_nothing():
    found = verdict(run(saturates, 250), training_examples=8 * 250)
    assert by_kind(found)["epochs"] == UNDECIDED


def test_stronger_evidence_decides():
    found = verdict(run(saturates, 500, 2000), training_examples=10**6)
    assert by_kind(found)["epochs"] == BOUND
    assert found.says == NOT_BOUND


# Each trial, and what would settle it


def test_a_trial_that_stands_out_has_a_verdict_of_its_own():
    trials, evaluations, updates = run(saturates, 1000, noise=0.02, num_trials=16)
    extra = 5 * power_law(pl.col("step")) * (pl.col("trial") == 3)
    rising = evaluations.with_columns(loss=pl.col("loss") + extra)
    found = verdict((trials, rising, updates)).trials
    assert found.filter(says=BOUND).rows() == [(3, 1000, BOUND, "slope")]


def test_cannot_tell_names_the_command_that_would_settle_it():
    found = verdict(run(power_law, 250, num_trials=12), directory="runs/mine")
    assert found.settle == (
        "tuner promote runs/mine --keep 8 --steps 1000 --extend constant"
    )


@pytest.mark.parametrize(("constant", "extend"), [(100, "constant"), (0, "stretch")])
def test_d9_the_command_extends_by_the_rule_that_suits_the_schedules(constant, extend):
    trials, *curves = run(power_law, 250)
    phases = {"schedule.constant_steps": constant, "schedule.decay_steps": 50}
    planned = trials.with_columns(pl.lit(n).alias(name) for name, n in phases.items())
    assert verdict((planned, *curves)).settle.endswith(f"--extend {extend}")


def test_every_combination_keeps_the_same_number_in_that_command():
    trials, *curves = run(power_law, 250)
    named = trials.with_columns(combination=pl.Series(list("abc") * 4))
    assert "--keep 9 " in verdict((named, *curves)).settle


# The noisy quadratic model: compute-bound at every horizon, its loss in closed form


@pytest.mark.parametrize("shape", quadratic.SHAPES)
@pytest.mark.parametrize("horizon", [100, 400])
def test_c9_the_decayed_tail_of_the_noisy_quadratic_fools_nobody(shape, horizon):
    found = verdict(quadratic.study(shape, [horizon]))
    is_high_until_late = shape in ("constant", "wsd")
    assert found.says == (BOUND if is_high_until_late else UNDECIDED)


@pytest.mark.parametrize("shape", quadratic.SHAPES)
def test_c9_at_two_horizons_the_noisy_quadratic_is_compute_bound(shape):
    frames = quadratic.study(shape, [100, 400])
    found = verdict(frames)
    assert (found.says, by_kind(found)["two horizons"]) == (BOUND, BOUND)
    # a decayed rate puts the best step last by itself: alone a note, here no more
    notes = [advice.says for advice in advise(*frames)]
    late = "too short" if shape == "constant" else "not too long"
    assert notes == [late, UNDECIDED]  # eight trials are too few


# Null studies


def test_null_studies_make_hardly_a_claim():
    # 200 studies of four kinds of noise, half of them under a rate that decays
    claims = each = 0
    for seed in range(200):
        chance = np.random.default_rng(seed)
        frames = null_study(chance, NOISES[seed % 4], decay=seed % 8 < 4)
        found = verdict(frames)
        advice = advise(*frames, is_compute_bound=found.says == BOUND)
        firm = [each.says for each in advice if each.says in ("too long", "too short")]
        claims += found.says != UNDECIDED or bool(firm)
        each += (found.trials["says"] != UNDECIDED).any()
    assert claims <= 6  # 3 %; two intervals of 99 % allow for some 2 %
    assert each <= 6
