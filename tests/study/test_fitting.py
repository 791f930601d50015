"""The studies of the procedure, as they are made from a user's."""

import fittable
import numpy as np
import pytest
import small

import tuner
from tuner.study.constant_rate import ConstantRate
from tuner.study.fitting import (
    Grid,
    Search,
    default_grid,
    grid_study,
    search_study,
    with_task,
)
from tuner.study.hyperparams import Hyperparams
from tuner.study.perfect import Perfect, on_training_set
from tuner.study.plain import off_values, rate_names, unkind, without_regularization
from tuner.study.study import Minimize

PERFECT = Perfect(metric="train/error", value=0.0, maximize=False)
RATE = "learning_rate"


def plain(study):
    return without_regularization(study, RATE)


def constant(study):
    return ConstantRate(study, rate_names(plain(study).space, RATE), ["weight_decay"])


# What is switched off


def test_regularization_and_augmentation_are_off_and_nothing_else():
    kinds = {
        "dropout": tuner.Float(0.0, 0.5, off=0.0, kind="regularization"),
        "mix": tuner.Choice("none", "up", off="none", kind="augmentation"),
        "momentum": tuner.Float(0.0, 0.9, off=0.0, kind="optimizer"),
        "clip": tuner.Float(0.1, 9.0, off=99.0),
    }
    space = plain(fittable.study(space=fittable.space(**kinds))).space
    off = {n: space.fixed[n] for n in space.fixed if n != "activation"}
    assert off == {"weight_decay": 0.0, "dropout": 0.0, "mix": "none"}
    assert {"momentum", "clip"} <= set(space.domains)
    assert unkind(space, RATE) == ["clip"]


def test_none_of_a_choice_switches_it_off():
    noise = tuner.Choice(None, "white", kind="augmentation")
    assert off_values(tuner.Space(noise=noise)) == {"noise": None}


def test_what_a_choice_opens_is_closed_with_it():
    spaces = {"none": tuner.Space(), "mix": tuner.Space(alpha=tuner.Float(0.1, 1.0))}
    augment = tuner.Choice(spaces, off="none", kind="augmentation")
    space = plain(fittable.study(space=fittable.space(augment=augment))).space
    assert space.domains["augment"].values == ("none",)
    assert "augment.mix.alpha" not in space.domains


def test_a_regularization_that_does_not_say_what_switches_it_off_is_refused():
    decay = tuner.Float(1e-6, 1e-1, log=True, kind="regularization")
    message = "domain of `weight_decay` .* does not say by which value: give it off="
    with pytest.raises(ValueError, match=message):
        plain(fittable.study(space=fittable.space(weight_decay=decay)))


# The rates

RANGES = [
    (tuner.Float(1e-3, 1e-1, log=True), (1e-3, 1e-1, 9)),
    (tuner.Float(0.0, 1.0), (1e-3, 1.0, 13)),
    (tuner.Choice(0.1, 0.01, role="scientific"), (0.01, 0.1, 5)),
    (0.3, (0.01, 9.0, 13)),
]


@pytest.mark.parametrize(("domain", "grid"), RANGES, ids=repr)
def test_the_grid_covers_the_studys_own_rates_four_a_decade(domain, grid):
    study = plain(fittable.study(space=fittable.space(learning_rate=domain)))
    made = default_grid(study, RATE)
    assert (made.low, made.high, made.rates) == pytest.approx(grid)


def test_the_rates_of_a_grid_are_even_on_a_log_scale_and_reach_its_ends():
    values = Grid(low=1e-4, high=1e-1, rates=7).values
    assert (values[0], values[-1]) == (1e-4, 1e-1)
    assert np.diff(np.log10(values)) == pytest.approx(0.5)


REFUSED = [
    (lambda: Grid(low=0.1, high=0.01, rates=9), r"`0 < low < high` .* \(low=0.1, high"),
    (lambda: Grid(low=0.01, high=0.1, rates=2), r"`rates >= 3` must hold, .*rates=2"),
    (lambda: Search(trials=0, first_steps=1, max_steps=2), "`trials >= 1` must hold"),
    (lambda: Search(trials=4, first_steps=9, max_steps=2), "first_steps <= max_steps"),
    (lambda: rate_names(small.space(), "lr"), "unknown learning rate 'lr'.*--rate N"),
    (
        lambda: without_regularization(fittable.study(), "activation"),
        "a learning rate is a number, but `activation` is 'relu'",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_can_never_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Their schedule


def test_the_rate_is_constant_whatever_the_studys_schedule():
    study = fittable.study()
    hyperparams = Hyperparams({"learning_rate": 0.25, "warmup_steps": 5})
    schedules = constant(study)(hyperparams, 40)
    assert set(schedules) == {RATE}
    assert schedules[RATE].rates().tolist() == [0.25] * 40


def test_other_schedules_stay_unless_what_they_set_is_off():
    def schedule(hyperparams, steps):
        return {
            "learning_rate": tuner.cosine(hyperparams.learning_rate, steps),
            "weight_decay": lambda count: 0.1,
            "momentum": tuner.Schedule(peak=0.5, decay_steps=steps),
        }

    made = constant(fittable.study(schedule=schedule))
    schedules = made(Hyperparams({"learning_rate": 0.25}), 40)
    assert set(schedules) == {RATE, "momentum"}
    # That of the study's own 25 steps, which then keeps its last value.
    assert schedules["momentum"](0) == 0.5
    assert schedules["momentum"](39) == schedules["momentum"](24) == pytest.approx(0.02)


def test_each_optimizer_may_have_a_rate_of_its_own():
    spaces = {
        "adam": tuner.Space(learning_rate=tuner.Float(1e-4, 1e-2, log=True)),
        "sgd": tuner.Space(learning_rate=tuner.Float(1e-2, 1.0, log=True)),
    }
    space = fittable.space(
        optimizer=tuner.Choice(spaces), learning_rate=tuner.Float(0.1, 0.2)
    )
    names = ("optimizer.adam.learning_rate", "optimizer.sgd.learning_rate")
    chosen = {"optimizer": "sgd", "optimizer.sgd.learning_rate": 0.5}
    made = ConstantRate(fittable.study(space=space), names, [])
    assert made.study.space.domains[names[1]].high == 1.0
    values = Hyperparams({**chosen, "learning_rate": 0.1, "warmup_steps": 0})
    assert made(values, 3)[RATE].peak == 0.5


# The search and the grid


def test_the_search_grows_its_horizons_fourfold_and_keeps_half():
    study, search = fittable.study(), Search(trials=16, first_steps=50, max_steps=1000)
    made = search_study(plain(judged(study)), search, PERFECT, constant(study))
    rounds = [(r.max_train_steps, r.trials, r.keep) for r in made.rounds]
    assert rounds == [(50, 16, 0), (200, 0, 8), (800, 0, 4), (1000, 0, 4)]
    assert made.eval_every == 2
    assert (made.stop, made.objective) == (
        (tuner.Target(0.0),),
        Minimize(PERFECT.metric),
    )


def test_the_search_shares_its_trials_among_scientific_values():
    activation = tuner.Choice("relu", "tanh", "gelu", role="scientific")
    study = fittable.study(
        space=fittable.space(activation=activation),
        rounds=[tuner.Round(trials=3, max_train_steps=25)],
    )
    search = Search(trials=16, first_steps=25, max_steps=25)
    made = search_study(plain(judged(study)), search, PERFECT, constant(study))
    assert [round_.trials for round_ in made.rounds] == [18]


def test_the_grid_is_one_configuration_at_every_rate_for_as_long_as_the_search():
    study, grid = fittable.study(), Grid(low=0.01, high=10.0, rates=4)
    found = {"activation": "relu", "learning_rate": 0.3, "warmup_steps": 4}
    made = grid_study(
        plain(judged(study)),
        grid,
        PERFECT,
        RATE,
        constant(study),
        configuration=found | {"weight_decay": 0.0},
        steps=101,
        evaluations=50,
    )
    (round_,) = made.rounds
    assert round_.points == tuple(
        {"learning_rate": pytest.approx(rate), "warmup_steps": 4}
        for rate in (0.01, 0.1, 1.0, 10.0)
    )
    assert (round_.max_train_steps, made.eval_every, made.stop) == (102, 2, (PERFECT,))


def judged(study):
    return with_task(study, on_training_set(study.task))
