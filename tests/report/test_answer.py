import dataclasses
import re

import polars as pl
import pytest

from tuner.report.answer import answer, caveat
from tuner.report.material import gather

BROKEN = None


@pytest.fixture
def said(make_run):
    """The answer to a run as plain text."""

    def say(trials, **options):
        material = gather(make_run(trials, **options))
        return re.sub(r"<[^>]*>", "", answer(material))

    return say


def test_the_winner_is_named_with_its_lead(trial, said):
    trials = [
        trial(0, 0.3, activation="relu"),
        trial(1, 0.1, activation="gelu"),
        trial(2, 0.25, activation="relu"),
        trial(3, 0.5, activation="gelu"),
    ]
    assert said(trials) == (
        "gelu wins with valid/error 0.100, 0.150 ahead of relu (0.250). "
        "Each is the best of 2 trials."
    )


def test_a_tie_is_called_a_tie(trial, said):
    # the loss of these runs is the error plus one, so it ties as well
    trials = [trial(0, 0.0), trial(1, 0.0, activation="gelu"), trial(2, 0.4)]
    assert said(trials) == (
        "relu and gelu tie at valid/error 0.000. "
        "They are the best of 1 to 2 trials each."
    )


def test_of_a_tie_the_loss_says_who_leads(trial, make_run):
    run = make_run([trial(0, 0.5), trial(1, 0.5, activation="gelu"), trial(2, 0.7)])
    material = gather(run)
    losses = pl.Series("tie", [0.25, 0.125, 0.5])
    material = dataclasses.replace(
        material, trials=material.trials.with_columns(losses)
    )
    assert answer(material).endswith(
        " By valid/loss at that step gelu (0.125) is ahead of relu (0.250). "
        "They are the best of 1 to 2 trials each."
    )


def test_a_maximized_objective_is_led_from_above(trial, said):
    trials = [trial(0, 0.75), trial(1, 0.5, activation="gelu")]
    goal = {"metric": "valid/error", "direction": "maximize"}
    assert said(trials, objective=goal).startswith(
        "relu wins with valid/error 0.750, 0.250 ahead of gelu (0.500). "
    )


def test_without_combinations_the_best_trial_is_the_answer(trial, said, space):
    del (domains := dict(space))["activation"]
    trials = [trial(n, 0.1 + n, activation=None, rate=0.02) for n in range(3)]
    assert said(trials, domains=domains) == (
        "Trial 0 is the best of 3 with valid/error 0.10 at step 80 of 100, "
        "learning_rate 0.02."
    )


def test_a_run_under_way_has_a_leader_but_no_winner(trial, said):
    running = {"status": "running", "step": 90}
    trials = [trial(0, 0.2), trial(1, 0.3, activation="gelu", **running)]
    assert said(trials).startswith("relu leads so far with valid/error 0.200")


def test_a_combination_without_a_result_is_named(trial, said):
    trials = [trial(0, 0.2), trial(1, BROKEN, activation="gelu")]
    assert said(trials).endswith(" No trial of gelu has a result.")


def test_when_all_trials_broke_there_is_nothing_to_compare(trial, said):
    trials = [trial(0, BROKEN), trial(1, BROKEN, activation="gelu")]
    assert said(trials) == "All 2 trials broke: there is nothing to compare."


def test_before_the_first_evaluation_there_is_no_result(trial, said):
    assert said([trial(0, BROKEN, status="running")]) == "No trial has a result yet."


def test_a_comparison_by_single_seeds_says_so(trial, make_run):
    trials = [trial(0, 0.2), trial(1, 0.3, activation="gelu")]
    assert "one seed" in caveat(gather(make_run(trials)))


def test_a_comparison_by_several_seeds_needs_no_such_words(trial, make_run):
    trials = [trial(0, 0.2), trial(1, 0.3, activation="gelu", replicate=1)]
    assert caveat(gather(make_run(trials))) == ""
