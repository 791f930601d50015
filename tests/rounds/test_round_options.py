"""What a round may do beside lengthening the best: seeds, controls, another space."""

import numpy as np
import polars as pl
import pytest
import small
from displays import StopAfter
from equal_runs import assert_equal

import tuner
from tuner.rounds.preflight import preflight
from tuner.rounds.trials import planned

LONGER = tuner.LengthenConstant()


def run_of(tmp_path_factory, name, rounds, **changes):
    study = small.study(
        rounds=rounds, **({"space": small.space(activation="relu")} | changes)
    )
    return tuner.run(study, tmp_path_factory.mktemp("runs") / name, layout="2x1x2")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """Two seeds of each configuration; the best two configurations go on."""
    rounds = [
        tuner.Round(trials=4, seeds=2, max_train_steps=20),
        tuner.Round(keep=2, control=1, max_train_steps=60, extend=LONGER),
    ]
    return run_of(tmp_path_factory, "seeded", rounds)


def of_round(run, number):
    return run.trials.filter(pl.col("round") == number)


def test_seeds_train_each_configuration_so_often(seeded):
    first = of_round(seeded, 1)
    assert (
        first.group_by("sample")
        .agg(pl.col("replicate").sort())
        .to_dict(as_series=False)["replicate"]
        == [[0, 1]] * 4
    )
    same = first.group_by("sample").agg(pl.col("hp.learning_rate").n_unique())
    assert same["hp.learning_rate"].to_list() == [1] * 4
    begun = seeded.metrics("train").filter(pl.col("step") == 1).join(first, on="trial")
    losses = begun.group_by("sample").agg(pl.col("train/loss").n_unique())
    assert losses["train/loss"].to_list() == [2] * 4


def test_configurations_are_ranked_by_the_mean_of_their_seeds(seeded):
    first = of_round(seeded, 1)
    ties = seeded.metrics("valid").select("trial", best_step="step", tie="valid/loss")
    means = (
        first.join(ties, on=["trial", "best_step"])
        .group_by("sample")
        .agg(pl.col("best_objective", "tie").mean())
        .sort("best_objective", "tie")
    )
    ranked = seeded.ranked.filter(round=1)["sample"].to_list()
    assert ranked == [sample for sample in means["sample"] for _ in range(2)]
    kept = of_round(seeded, 2).filter(~pl.col("control"))
    assert set(kept["sample"]) == set(means["sample"].head(2))
    assert kept.height == 4
    assert kept["resume"].to_list() == ["exact"] * 4


def test_controls_are_not_among_the_best(seeded):
    second = of_round(seeded, 2)
    kept = set(second.filter(~pl.col("control"))["sample"])
    controls = second.filter("control")
    assert controls.height == 2
    assert controls["sample"].n_unique() == 1
    assert not kept & set(controls["sample"])


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """The best two and a baseline once more, three fresh seeds each."""
    baseline = {"learning_rate": 0.01, "weight_decay": 1e-4, "warmup_steps": 2}
    rounds = [
        tuner.Round(trials=4, max_train_steps=20),
        tuner.Round(keep=2, seeds=3, points=[baseline], max_train_steps=20),
    ]
    return run_of(tmp_path_factory, "repeated", rounds)


def test_a_round_repeats_the_best_with_fresh_seeds(repeated):
    second = of_round(repeated, 2)
    assert second.height == 9
    by_sample = second.group_by("sample").agg(pl.col("replicate").sort())
    assert by_sample["replicate"].to_list() == [[1, 2, 3]] * 3
    assert second["resume"].to_list() == ["fresh"] * 9
    assert second["extend"].null_count() == 9
    promoted = second.filter(pl.col("parent").is_not_null())
    parents = of_round(repeated, 1).select(
        parent="trial", rate="hp.learning_rate", constant="schedule.constant_steps"
    )
    beside = promoted.join(parents, on="parent")
    assert beside["rate"].equals(beside["hp.learning_rate"], check_names=False)
    assert beside["constant"].equals(
        beside["schedule.constant_steps"], check_names=False
    )


def test_a_fresh_seed_is_the_same_in_every_configuration(repeated):
    """So that they can be compared in pairs: the network begins with the same loss."""
    first = repeated.metrics("train").filter(pl.col("step") == 1)
    of_seed = (
        first.join(of_round(repeated, 2), on="trial")
        .group_by("replicate")
        .agg(pl.col("train/loss").n_unique())
    )
    assert of_seed["train/loss"].to_list() == [1, 1, 1]
    before = first.join(of_round(repeated, 1), on="trial", how="semi")
    assert not set(before["train/loss"]) & set(
        first.join(of_round(repeated, 2), on="trial", how="semi")["train/loss"]
    )


@pytest.fixture(scope="module")
def narrowed():
    rounds = [
        tuner.Round(trials=4, max_train_steps=20),
        tuner.Round(
            trials=4,
            max_train_steps=40,
            keep=2,
            extend=LONGER,
            space={
                "learning_rate": tuner.Float(0.01, 0.02, log=True),
                "weight_decay": 1e-3,
            },
        ),
        tuner.Round(trials=2, max_train_steps=60),
    ]
    return small.study(rounds=rounds)


def test_a_round_can_sample_from_another_space(narrowed):
    first = list(planned(narrowed, 1))
    for number, count in ((2, 4), (3, 2)):
        trials = list(planned(narrowed, number))
        assert len(trials) == count
        for trial in trials:
            assert 0.01 <= trial.hyperparams["learning_rate"] <= 0.02
            assert trial.hyperparams["weight_decay"] == 1e-3
        assert min(t.sample for t in trials) > max(t.sample for t in first)
        assert len({t.hyperparams["learning_rate"] for t in trials}) == count // 2


def test_a_value_that_is_held_makes_no_other_program(narrowed):
    assert set(preflight(narrowed).groups) == {"activation=relu", "activation=tanh"}


def test_a_trial_of_one_space_depends_on_no_other(narrowed):
    """The first round is what it was without the rounds that follow."""
    alone = small.study(rounds=[narrowed.rounds[0]])
    assert [t.hyperparams for t in planned(alone, 1)] == [
        t.hyperparams for t in planned(narrowed, 1)
    ]


def test_a_new_value_joins_a_later_round():
    wider = tuner.Choice("relu", "tanh", role="scientific")
    study = small.study(
        space=small.space(activation=tuner.Choice("relu", role="scientific")),
        rounds=[
            tuner.Round(trials=4, max_train_steps=20),
            tuner.Round(trials=4, max_train_steps=40, space={"activation": wider}),
        ],
    )
    assert {t.hyperparams["activation"] for t in planned(study, 1)} == {"relu"}
    assert {t.hyperparams["activation"] for t in planned(study, 2)} == {"relu", "tanh"}


def test_a_round_can_evaluate_at_other_steps(tmp_path_factory):
    rounds = [
        tuner.Round(trials=4, max_train_steps=20),
        tuner.Round(keep=2, max_train_steps=60, extend=LONGER, eval_every=10),
    ]
    run = run_of(tmp_path_factory, "seldom", rounds)
    steps = run.metrics("valid").join(of_round(run, 2), on="trial", how="semi")["step"]
    assert sorted(set(steps)) == [20, 30, 40, 50, 60]
    assert of_round(run, 2)["start_step"].to_list() == [10, 10]
    assert set(run.layout) == {"all", "eval_every=10"}
    whole = run.metrics("train", lineage=True).group_by("trial").len()
    lengths = whole.join(of_round(run, 2), on="trial", how="semi")["len"]
    assert lengths.to_list() == [60, 60]


@pytest.mark.parametrize(
    ("rounds", "rule"),
    [
        (
            [tuner.Round(control=1, max_train_steps=20, extend=LONGER)],
            "no earlier trials to keep",
        ),
        (
            [
                tuner.Round(trials=4, max_train_steps=20),
                tuner.Round(keep=2, max_train_steps=20, extend=LONGER),
            ],
            "longer than the one before, unless it repeats",
        ),
        (
            [
                tuner.Round(trials=4, max_train_steps=20),
                tuner.Round(keep=2, seeds=2, max_train_steps=40),
            ],
            r"pass extend=tuner\.LengthenConstant\(\)",
        ),
        (
            [
                tuner.Round(trials=4, max_train_steps=20),
                tuner.Round(keep=2, control=4, max_train_steps=40, extend=LONGER),
            ],
            r"keep=2, control=4, trials=4",
        ),
        (
            [
                tuner.Round(trials=4, max_train_steps=20),
                tuner.Round(trials=2, max_train_steps=40, eval_every=15),
            ],
            r"eval_every=15, max_train_steps=40\) in round 2: 30 or 45",
        ),
    ],
)
def test_rounds_that_do_not_follow_are_refused(rounds, rule):
    with pytest.raises(ValueError, match=rule):
        small.study(rounds=rounds)


def test_d11_geometric_rounds_grow_as_their_trials_become_fewer():
    rounds = tuner.geometric_rounds(
        trials=256, first=250, growth=2, last=2000, extend=LONGER, multiple_of=3
    )
    assert [r.max_train_steps for r in rounds] == [250, 500, 1000, 2000]
    assert [r.num_kept for r in rounds] == [0, 129, 66, 33]
    with pytest.raises(ValueError, match="1000 or 2000 would do"):
        tuner.geometric_rounds(trials=8, first=250, growth=2, last=1500, extend=LONGER)


def test_fresh_seeds_are_those_no_round_before_has_used():
    study = small.study(
        space=small.space(activation="relu"),
        rounds=[
            tuner.Round(trials=2, seeds=2, max_train_steps=20),
            tuner.Round(keep=2, seeds=3, max_train_steps=20),
            tuner.Round(keep=1, seeds=2, max_train_steps=20),
        ],
    )
    of_rounds = [study.progression.replicates(n) for n in (1, 2, 3)]
    assert of_rounds == [range(2), range(2, 5), range(5, 7)]
    assert np.all([t.numbers[0] == 0 for t in planned(study, 1) if t.replicate])


def test_d11_four_lengths_interrupted_are_four_lengths_uninterrupted(tmp_path):
    study = small.study(
        space=small.space(activation="relu"),
        rounds=tuner.geometric_rounds(
            trials=16, first=10, growth=2, last=80, extend=LONGER, control=1
        ),
    )
    whole = tuner.run(study, tmp_path / "whole", layout="2x1x2")
    sizes = whole.trials.group_by("round").len().sort("round")["len"]
    assert sizes.to_list() == [16, 9, 5, 3]
    tuner.run(study, tmp_path / "run", layout="2x1x2", display=StopAfter(13))
    again = tuner.run(study, tmp_path / "run")
    assert again.figures["sessions"] == 2
    assert_equal(whole, again)
