import dataclasses

import small

import tuner
from tuner.rounds.trials import planned, promoted


def test_samples_come_first_in_turns_then_points():
    point = {
        "activation": "tanh",
        "learning_rate": 0.01,
        "weight_decay": 0.001,
        "warmup_steps": 0,
    }
    rounds = [tuner.Round(trials=4, points=[point], max_train_steps=20)]
    trials = list(planned(small.study(rounds=rounds), 1))
    shown = [(t.trial, t.sample, t.combination["activation"]) for t in trials]
    assert shown == [
        (0, 0, "relu"),
        (1, 0, "tanh"),
        (2, 1, "relu"),
        (3, 1, "tanh"),
        (4, -1, "tanh"),
    ]


def test_newcomers_of_a_later_round_go_on_in_the_sequence():
    rounds = [
        tuner.Round(trials=4, max_train_steps=20),
        tuner.Round(trials=2, max_train_steps=40),
    ]
    study = small.study(rounds=rounds)
    newcomers = list(planned(study, 2))
    assert [(t.trial, t.sample) for t in newcomers] == [(4, 2), (5, 2)]
    whole = small.study(rounds=[tuner.Round(trials=6, max_train_steps=20)])
    expected = list(planned(whole, 1))[4:]
    assert [t.hyperparams for t in newcomers] == [t.hyperparams for t in expected]


def test_a_child_keeps_its_parents_randomness():
    study = small.study()
    parents = list(planned(study, 1))[:4]
    children = list(promoted(study, 2, parents))
    assert [c.numbers for c in children] == [p.numbers for p in parents]
    assert [c.trial for c in children] == [12, 13, 14, 15]


def test_fewer_survivors_than_kept_leave_other_numbers_as_they_are():
    study = small.study()
    parents = list(planned(study, 1))
    children = list(promoted(study, 2, parents[:1]))
    assert [c.trial for c in children] == [12]


def test_trials_of_different_combinations_have_different_randomness():
    relu, tanh = list(planned(small.study(), 1))[:2]
    assert relu.sample == tanh.sample
    assert relu.numbers != tanh.numbers


def test_adding_a_scientific_value_changes_no_existing_trial():
    before = list(planned(small.study(), 1))
    more = tuner.Choice("tanh", "gelu", "relu", role="scientific")
    study = small.study(
        space=small.space(activation=more),
        rounds=[dataclasses.replace(small.study().rounds[0], trials=18)],
    )
    after = {(t.sample, t.combination["activation"]): t for t in planned(study, 1)}
    for trial in before:
        twin = after[trial.sample, trial.combination["activation"]]
        assert (twin.hyperparams, twin.numbers) == (trial.hyperparams, trial.numbers)


def test_a_grid_goes_on_to_a_round_that_only_keeps():
    space = tuner.Space(
        activation="relu",
        learning_rate=tuner.Float(1e-3, 1e-1, log=True),
        weight_decay=0.0,
        warmup_steps=0,
    )
    rounds = [
        tuner.Round(trials=4, max_train_steps=20),
        tuner.Round(keep=2, max_train_steps=40, extend=tuner.LengthenConstant()),
    ]
    study = small.study(space=space, rounds=rounds, sampling="grid")
    assert len(list(planned(study, 1))) == 4
    assert list(planned(study, 2)) == []
