"""A round may grow once its run is over: what there is stays, newcomers may join."""

import polars as pl
import pytest
import small

import tuner
from tuner.rounds.definition import OtherStudyError

LONGER = tuner.LengthenConstant()


def study(trials, keep, **first):
    return small.study(
        space=small.space(activation="relu"),
        rounds=[
            tuner.Round(trials=trials, max_train_steps=20, **first),
            tuner.Round(keep=keep, max_train_steps=60, extend=LONGER),
        ],
    )


def run(directory, *sizes, **first):
    return tuner.run(study(*sizes, **first), directory, layout="2x1x2")


def children(run):
    return run.trials.filter(pl.col("round") == 2)


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """The run before it grew, its trials then, and the run with twice the trials."""
    directory = tmp_path_factory.mktemp("runs") / "grown"
    before = run(directory, 4, 2).trials
    return before, run(directory, 10, 2)


def test_what_there_is_stays_as_it_is(grown):
    before, now = grown
    same = now.trials.filter(pl.col("trial").is_in(before["trial"].to_list()))
    assert same.equals(before)


def test_a_new_trial_is_that_of_a_study_that_was_as_large_at_once(grown, tmp_path):
    _, now = grown
    at_once = run(tmp_path / "run", 10, 2)
    columns = ["sample", "hp.learning_rate", "best_step", "best_objective"]
    for number in (1, 2):
        ours = now.trials.filter(round=number).select(columns).sort("sample")
        theirs = at_once.trials.filter(round=number).select(columns).sort("sample")
        assert theirs.height == ours.join(theirs, on=columns, how="semi").height


def test_newcomers_among_the_best_go_on_and_nobody_is_demoted(grown):
    before, now = grown
    old = set(before.filter(round=2)["parent"])
    parents = set(children(now)["parent"])
    assert old <= parents
    assert parents - old
    assert set(children(now)["status"]) == {"complete"}
    assert now.trials["trial"].is_unique().all()


def test_grown_once_it_is_complete(grown, tmp_path):
    _, now = grown
    again = run(now.directory, 10, 2)
    assert again.trials.equals(now.trials)
    assert again.figures["trial_steps"] == now.figures["trial_steps"]


def test_more_may_go_on(tmp_path):
    first = run(tmp_path / "run", 6, 2)
    parents = children(first)["parent"].to_list()
    more = run(tmp_path / "run", 6, 4)
    assert children(more)["parent"].to_list()[:2] == parents
    assert children(more).height == 4


@pytest.mark.parametrize("sizes", [(2, 2), (4, 1)])
def test_a_round_never_shrinks(tmp_path, sizes):
    run(tmp_path / "run", 4, 2)
    with pytest.raises(OtherStudyError, match="has other rounds"):
        run(tmp_path / "run", *sizes)


def test_a_round_before_one_with_new_trials_does_not_grow(tmp_path):
    def of(trials):
        rounds = [
            tuner.Round(trials=trials, max_train_steps=10),
            tuner.Round(trials=2, max_train_steps=20),
        ]
        return small.study(space=small.space(activation="relu"), rounds=rounds)

    tuner.run(of(2), tmp_path / "run", layout="2x1x2")
    with pytest.raises(OtherStudyError, match="has other rounds"):
        tuner.run(of(4), tmp_path / "run")
