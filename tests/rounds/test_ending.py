"""What ends a study or pauses it: its target, a budget over all sessions."""

import dataclasses
import re

import polars as pl
import pytest
import small
from displays import Told
from equal_runs import assert_equal

import tuner
from tuner.lanes.compilations import compilations
from tuner.rounds.recorder import Recorder
from tuner.store.reader import read_ledger

LAYOUT = "2x1x2"
SEGMENT = 4 * 5  # trial-steps, all lanes taken
GOOD = 0.15  # valid/error, which some trials reach and most do not


def study(**changes):
    """One program, nine trials for four lanes, two rounds: 9 x 30 and 3 x 40 steps."""
    fields = {
        "space": small.space(activation="tanh"),
        "rounds": [
            tuner.Round(trials=9, max_train_steps=30),
            tuner.Round(keep=3, max_train_steps=60, extend=tuner.LengthenConstant()),
        ],
    }
    return small.study(**(fields | changes))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The study with nothing that ends it."""
    return tuner.run(study(), tmp_path_factory.mktemp("runs") / "run", layout=LAYOUT)


# A budget


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """Budgets that grow by a hundred steps, and where each has led."""
    directory, reached = tmp_path_factory.mktemp("runs") / "spent", {}
    for steps in range(100, 600, 100):
        budget = tuner.Budget(steps=steps)
        run = tuner.run(study(), directory, layout=LAYOUT, budget=budget)
        reached[steps] = (run.status, run.figures["trial_steps"])
    return directory, reached


def test_a_budget_counts_the_steps_of_all_sessions(sessions, whole):
    """The segment that it is noticed after, and the one in flight, are finished."""
    _, reached = sessions
    total = whole.figures["trial_steps"]
    for steps, (status, used) in reached.items():
        assert min(steps, total) <= used < steps + 2 * SEGMENT
        assert status == ("complete" if used == total else "interrupted")
    assert {status for status, _ in reached.values()} == {"complete", "interrupted"}


def test_a_study_in_many_budgets_ends_as_one_without(sessions, whole):
    assert_equal(tuner.open_run(sessions[0]), whole)


def test_the_same_budget_again_does_nothing(tmp_path):
    directory, told = tmp_path / "run", Told()
    budget = tuner.Budget(steps=50)
    run = tuner.run(study(), directory, layout=LAYOUT, budget=budget)
    before, compiled = read_ledger(directory), compilations()
    tuner.run(study(), directory, budget=budget, display=told)
    assert read_ledger(directory) == before
    assert compilations() == compiled
    steps = run.figures["trial_steps"]
    start = f"the budget of 50steps is used up: {steps} steps in "
    assert [note.startswith(start) for note in told.notes] == [True]


def test_a_budget_in_seconds_counts_those_of_all_sessions(tmp_path):
    """A first session of two segments takes longer than a microsecond."""
    run = tuner.run(
        study(), tmp_path / "a", layout=LAYOUT, budget=tuner.Budget(steps=1)
    )
    assert run.status == "interrupted"
    again = tuner.run(study(), run.directory, budget=tuner.Budget(seconds=1e-6))
    assert again.figures == run.figures
    assert again.figures["seconds"] > 1e-6


# A target


@pytest.fixture(scope="module")
def reached(tmp_path_factory):
    """The study until a trial is good enough, and what was told of it."""
    directory, told = tmp_path_factory.mktemp("runs") / "reached", Told()
    good = study(stop=tuner.Target(GOOD))
    return tuner.run(good, directory, layout=LAYOUT, display=told), told


def test_a_target_ends_the_study_once_a_trial_reaches_it(reached, whole):
    run, _ = reached
    winner = run.best
    assert run.status == "complete"
    assert winner["best_objective"] <= GOOD
    curve = run.metrics("valid").filter(trial=winner["trial"])["valid/error"]
    assert (curve.head(-2) > GOOD).all()  # but for the segment in flight
    assert run.trials["round"].unique().to_list() == [1]
    assert run.figures["trial_steps"] < whole.figures["trial_steps"]


def test_trials_that_are_left_are_stopped_and_keep_their_states(reached):
    run, _ = reached
    left = run.trials.filter(status="stopped")
    assert set(left["note"]) == {"the study ended: its target was reached"}
    assert set(run.trials["status"]) <= {"stopped", "complete"}
    assert left.filter(step=0).height  # some had no lane yet
    begun = left.filter(pl.col("step") > 0)
    kept = {
        (place.entry.trial, place.entry.what): place.entry.step
        for place in read_ledger(run.directory).entries
    }
    assert not any(what == "running" for _, what in kept)
    for trial, step in begun.select("trial", "step").rows():
        assert kept[trial, "last"] == step


def test_rows_until_the_target_are_those_of_the_whole_study(reached, whole):
    rows = reached[0].metrics("train")
    assert rows.join(whole.metrics("train"), on=rows.columns, how="anti").is_empty()


def test_a_target_that_is_reached_is_told_of_once(reached):
    _, told = reached
    (note,) = told.notes
    assert re.fullmatch(
        r"the target 0\.15 is reached by trial \d: valid/error 0\.1\d*", note
    )
    assert told.standings[-1].best_objective <= GOOD


def test_a_study_whose_target_is_reached_is_left_as_it_is(reached):
    run, _ = reached
    before, compiled = read_ledger(run.directory), compilations()
    tuner.run(study(stop=tuner.Target(GOOD)), run.directory)
    assert read_ledger(run.directory) == before
    assert compilations() == compiled


def test_without_its_target_the_study_goes_on_as_if_it_never_had_one(tmp_path, whole):
    """Over a harder target: what was stopped by the first is taken up again."""
    directory, steps = tmp_path / "run", []
    for stop in (tuner.Target(GOOD), tuner.Target(0.07), ()):
        run = tuner.run(study(stop=stop), directory, layout=LAYOUT)
        assert run.status == "complete"
        steps.append(run.figures["trial_steps"])
    assert sorted(set(steps)) == steps
    assert_equal(run, whole)


def test_killed_before_the_rest_was_stopped_the_next_session_stops_it(
    tmp_path, monkeypatch
):
    """The target is in the ledger, and so are trials that run."""

    def killed(self, running):
        raise KeyboardInterrupt

    good = study(stop=tuner.Target(GOOD))
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "leave", killed)
        with pytest.raises(KeyboardInterrupt):
            tuner.run(good, tmp_path / "run", layout=LAYOUT)
    run = tuner.open_run(tmp_path / "run")
    assert run.status == "interrupted"
    compiled, steps = compilations(), run.figures["trial_steps"]
    tuner.run(good, run.directory)
    assert run.status == "complete"
    assert (compilations(), run.figures["trial_steps"]) == (compiled, steps)


def test_a_target_to_be_surpassed_upwards(tmp_path):
    error = tuner.Maximize("valid/error")
    high = study(objective=error, stop=tuner.Target(0.8), rounds=study().rounds[:1])
    run = tuner.run(high, tmp_path / "run", layout=LAYOUT)
    assert run.status == "complete"
    assert run.best["best_objective"] >= 0.8
    assert run.trials.filter(status="stopped").height


def test_a_round_after_a_target_that_is_reached_is_refused(reached):
    rule = (
        "no round follows a study whose target is reached, but Target(objective=0.15) "
        "is: pass study=dataclasses.replace(study, stop=()), or a harder target"
    )
    extend = tuner.LengthenConstant()
    with pytest.raises(ValueError, match=re.escape(rule)):
        tuner.promote(reached[0], keep=2, max_train_steps=90, extend=extend)


def test_a_target_is_no_part_of_what_tells_studies_apart(reached, whole):
    other = dataclasses.replace(study(), stop=tuner.Target(0.0))
    assert tuner.run(other, whole.directory).trials.equals(whole.trials)
