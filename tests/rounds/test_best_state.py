"""Best states in lanes or as snapshots: the same states, whatever happens."""

import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small
from displays import RaiseAfter, StopAfter
from equal_runs import assert_equal, bytes_of

import tuner
from tuner.lanes.program import Program
from tuner.rounds.cadence import Cadence
from tuner.rounds.committer import Committer

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def in_lanes(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "lanes"
    return tuner.run(small.study(), directory, layout="2x1x2")


@pytest.fixture(scope="module")
def in_snapshots(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "snapshots"
    return tuner.run(small.study(), directory, layout="2x1x2", best_state="snapshot")


def test_snapshots_are_the_states_that_lanes_would_carry(in_lanes, in_snapshots):
    assert_equal(in_snapshots, in_lanes)
    assert in_snapshots.definition["best_state"] == "snapshot"
    assert in_lanes.definition["best_state"] == "lane"


@pytest.mark.slow
def test_interrupted_by_whatever_it_ends_as_with_lanes_that_never_were(
    in_lanes, tmp_path, monkeypatch
):
    """Killed, raised in, killed and stopped; only the first is told where they are."""
    directory, turns = tmp_path / "run", itertools.count()
    monkeypatch.setattr(Cadence, "due", lambda *_: next(turns) % 2 == 1)
    _kill(directory, 9)
    with pytest.raises(RuntimeError, match="from outside"):
        tuner.run(small.study(), directory, display=RaiseAfter(7))
    _kill(directory, 6)
    run = tuner.run(small.study(), directory, display=StopAfter(5))
    assert run.status == "interrupted"  # maybe between the rounds
    assert_equal(tuner.run(small.study(), directory), in_lanes)


def _kill(directory, segments):
    """Let a process go on for so many segments."""
    command = [HERE / "resuming.py", directory, str(segments), "snapshot"]
    process = subprocess.run([sys.executable, *command], check=False)
    assert process.returncode == -9


def test_of_trials_that_broke_the_best_before_is_kept(tmp_path):
    study, runs = small.diverging_study(), []
    for where in ("lane", "snapshot"):
        directory = tmp_path / where
        runs.append(tuner.run(study, directory, layout="2x1x4", best_state=where))
    lanes, snapshots = runs
    broken = snapshots.trials.filter(status="diverged")
    assert snapshots.trials.equals(lanes.trials)
    assert broken.height
    for trial in broken.filter(broken["best_step"].is_not_null())["trial"]:
        assert bytes_of(snapshots.restore(trial)) == bytes_of(lanes.restore(trial))


class Walk(tuner.Task):
    """Adds up its rates; judged by how far the sum is from a place."""

    data = np.float32(12.2)

    def init(self, key, hyperparams):
        return jnp.float32(0)

    def step(self, key, hyperparams, state, learning_rate):
        return state + learning_rate, {"loss": state}

    def evaluate(self, key, hyperparams, state):
        return {"distance": jnp.abs(state - self.data)}


def walk(**changes):
    """At step 10, the branch step, it is at 10; then the parent slows down.

    At step 15 that is nearest to 12.2; the child, at 15 then, never is as near again.
    """
    fields = {
        "name": "walk",
        "space": tuner.Space(rate=tuner.Choice(1.0)),
        "task": Walk(),
        "schedule": lambda hyperparams, steps: tuner.warmup_constant_decay(
            hyperparams.rate, steps, decay_steps=10
        ),
        "objective": "valid/distance",
        "rounds": [
            tuner.Round(trials=1, max_train_steps=20),
            tuner.Round(keep=1, max_train_steps=40, extend=tuner.LengthenConstant()),
            tuner.Round(keep=1, max_train_steps=60, extend=tuner.LengthenConstant()),
        ],
        "eval_every": 5,
    }
    return tuner.Study(**(fields | changes))


@pytest.mark.parametrize("commits", ["always", "rarely"])
def test_a_child_has_its_parents_best_as_of_where_it_left(
    tmp_path, monkeypatch, commits
):
    """Saved before the parent reached its branch step, or waiting to be."""
    monkeypatch.setattr(Cadence, "due", lambda *_: commits == "always")
    lanes, snapshots = (
        tuner.run(walk(), tmp_path / where, layout="1x1x2", best_state=where)
        for where in ("lane", "snapshot")
    )
    assert_equal(snapshots, lanes)
    assert snapshots.trials["best_step"].to_list() == [15, 10, 10]
    bests = [float(snapshots.restore(trial)) for trial in range(3)]
    assert bests[0] == pytest.approx(13.75, abs=0.6)
    assert bests[1:] == [10.0, 10.0]


def test_siblings_have_the_best_of_what_they_share(tmp_path):
    """One begins from the state that the other leaves at its branch step, 20."""
    first, second, _ = walk().rounds
    siblings = tuner.LengthenConstant(decay_steps=[10, 20])
    study = walk(rounds=[first, dataclasses.replace(second, extend=siblings)])
    lanes, snapshots = (
        tuner.run(study, tmp_path / where, layout="1x1x2", best_state=where)
        for where in ("lane", "snapshot")
    )
    assert_equal(snapshots, lanes)
    assert snapshots.trials["resumed_from"].to_list() == [None, 2, 0]
    assert snapshots.trials["best_step"].to_list() == [15, 10, 10]
    assert float(snapshots.restore(1)) == 10.0


def test_begun_anew_a_child_has_its_parents_best_again(tmp_path, monkeypatch):
    """In the second round memory runs out, with one chunk left: it becomes narrower."""
    whole = tuner.run(walk(), tmp_path / "whole", layout="1x1x2")
    calls, advance = itertools.count(1), Program.advance

    def exhausted(self, inputs):
        if next(calls) == 9:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED")
        return advance(self, inputs)

    monkeypatch.setattr(Program, "advance", exhausted)
    monkeypatch.setattr(Committer, "is_due", lambda self, _: (self.wait(), True)[1])
    directory = tmp_path / "run"
    run = tuner.run(walk(), directory, layout="1x1x2", best_state="snapshot")
    [event] = run.definition["out_of_memory"]
    assert event["restarted"] == [1]
    assert [float(run.restore(trial)) for trial in range(3)] == [
        float(whole.restore(trial)) for trial in range(3)
    ]


def test_a_directory_keeps_where_its_best_states_are(in_snapshots):
    rule = "a run's best_state never changes, but .* has 'snapshot', and 'lane' was"
    with pytest.raises(ValueError, match=rule):
        tuner.run(small.study(), in_snapshots.directory, best_state="lane")


def test_there_are_two_places_for_best_states(tmp_path):
    rule = 'best_state must be "lane" or "snapshot", but got \'disk\''
    with pytest.raises(ValueError, match=rule):
        tuner.run(small.study(), tmp_path / "run", best_state="disk")
    assert not (tmp_path / "run").exists()
