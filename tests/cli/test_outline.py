"""What a dry run prints."""

import pytest
import small

import tuner
from tuner.cli.outline import outline
from tuner.lanes import input_speed
from tuner.lanes.input_speed import InputSpeed
from tuner.rounds.preflight import preflight

LONGER = tuner.LengthenConstant(decay_steps=10)


def outlined(layout="1x2x4", **changes):
    return outline(preflight(small.study(**changes)), layout)


def rounds(*declared, **changes):
    """The lines about rounds."""
    text = outlined(rounds=declared, **changes)
    return text.split("\n\n")[1].splitlines()


def test_a_study_is_outlined_in_four_blocks():
    assert outlined(goal="Which is better?") == (
        "small: Which is better?\n"
        "\n"
        "round 1  12 trials = 6 relu + 6 tanh, 20 steps each\n"
        "round 2  4 promoted = 2 relu + 2 tanh, 60 steps each, extended by "
        "LengthenConstant()\n"
        "\n"
        "2 programs:\n"
        "  activation=relu  6 trials, layout 1x2x4, 1,200 parameters\n"
        "  activation=tanh  6 trials, layout 1x2x4, 1,200 parameters\n"
        "\n"
        "at most 480 steps in all, 15,360 examples\n"
        "states take at most 1.23 MB on the disk"
    )


def test_much_on_the_disk_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setattr("tuner.cli.outline.MUCH", 1000)
    said = "states take at most 1.23 MB on the disk"
    assert f"{said}; snapshots=tuner.Keep(best=..., branch=...) bounds" in outlined()
    assert "tuner.Keep" not in outlined(snapshots=tuner.Keep(best=1))


def test_without_scientific_values_trials_are_only_counted():
    one = tuner.Round(trials=3, max_train_steps=20)
    assert rounds(one, space=small.space(activation="relu")) == [
        "round 1  3 trials, 20 steps each"
    ]


def test_points_count_for_their_combination():
    point = {"activation": "tanh", "learning_rate": 0.01, "weight_decay": 0.01}
    one = tuner.Round(
        trials=2, points=[{**point, "warmup_steps": 0}], max_train_steps=20
    )
    assert rounds(one) == ["round 1  3 trials = 1 relu + 2 tanh, 20 steps each"]


def test_a_round_may_have_new_and_promoted_trials():
    first = tuner.Round(trials=4, max_train_steps=20)
    second = tuner.Round(
        trials=2, keep=2, across="all", max_train_steps=40, extend=LONGER
    )
    assert rounds(first, second)[1:] == [
        "round 2  2 trials = 1 relu + 1 tanh, 40 steps each",
        "round 2  2 promoted, 40 steps each, extended by "
        "LengthenConstant(decay_steps=10)",
    ]


def test_an_extension_of_ones_own_has_its_name():
    def twice(schedule, max_train_steps):
        return LONGER(schedule, max_train_steps)

    first = tuner.Round(trials=2, max_train_steps=20)
    second = tuner.Round(keep=2, max_train_steps=40, extend=twice)
    assert rounds(first, second)[1].endswith("extended by twice")


def test_a_combination_that_is_no_word_has_its_name():
    space = small.space(depth=tuner.Choice(1, 2, role="scientific"))
    one = tuner.Round(trials=4, max_train_steps=20)
    expected = "1 relu depth=1 + 1 relu depth=2 + 1 tanh depth=1 + 1 tanh depth=2"
    assert rounds(one, space=space) == [
        f"round 1  4 trials = {expected}, 20 steps each"
    ]


def test_many_combinations_are_only_counted():
    space = small.space(depth=tuner.Choice(1, 2, 3, 4, role="scientific"))
    one = tuner.Round(trials=8, max_train_steps=20)
    assert rounds(one, space=space) == [
        "round 1  8 trials of 8 scientific combinations, 20 steps each"
    ]


INPUT = [
    # read, trained   what is said
    (
        2000.4,
        8000.0,
        "warning: input-bound, the devices would wait 75% of the time: try",
    ),
    (7300.0, 8000.0, "reading keeps up"),
]


@pytest.mark.parametrize(("read", "trained", "said"), INPUT)
def test_a_source_is_compared_with_a_cached_batch(monkeypatch, read, trained, said):
    found = InputSpeed(read, trained)
    monkeypatch.setattr(input_speed, "measure", lambda group, layout, job: found)
    rows = list(zip(small.PIXELS[:600], small.LABELS[:600], strict=True))
    source = tuner.Source(rows, threads=3)
    text = outlined(layout="2x1x2", task=small.task(train=source))
    speeds, verdict = text.split("\n\n")[-1].splitlines()
    assert speeds == (
        f"input: 3 threads read {read:,.0f} examples/s; on a cached batch, program "
        "activation=relu in layout 2x1x2 trains 8,000 examples/s"
    )
    assert verdict.startswith(said)


@pytest.mark.parametrize(("trials", "warned"), [(6, True), (8, False)])
def test_few_trials_a_program_are_warned_of(trials, warned):
    """Two programs: four trials each are enough."""
    text = outlined(rounds=[tuner.Round(trials=trials, max_train_steps=20)])
    assert ("warning: lanes gain little for 6 trials in 2 programs" in text) == warned


def test_examples_follow_the_batch_size_of_each_trial():
    sizes = tuner.Choice(16, 32, role="scientific", static=True)
    text = outlined(
        space=small.space(activation="relu", batch_size=sizes),
        task=small.task(batch_size=None),
        rounds=[tuner.Round(trials=4, max_train_steps=20)],
    )
    assert "\n80 steps in all, 1,920 examples\n" in text  # 2 x 20 x (16 + 32)


def test_a_layout_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="needs 64 devices, but JAX sees"):
        outlined(layout="64x1x1")


def test_without_a_layout_one_is_chosen():
    assert "6 trials, layout 2x1x4" in outlined(layout=None)


def test_several_batch_sizes_are_counted_both_ways():
    sizes = small.space(batch_size=tuner.Choice(16, 32, 64, role="scientific"))
    rounds = [tuner.Round(trials=12, max_train_steps=20)]
    apart, shared = (
        outlined(space=sizes, rounds=rounds, task=small.task(batch_size=size))
        for size in (None, "traced")
    )
    one = "one program a size, 240 steps in whole batches"
    other = "one program for all sizes, 560 micro-batches of 16"  # 80 x (1 + 2 + 4)
    assert f"batch sizes: {one}; the other way {other}" in apart
    assert f"batch sizes: {other}; the other way {one}" in shared
