"""Out of memory at any call: the run goes on from its last commit, and loses nothing.

The error is injected: a call of the program raises what XLA raises, and the lanes are
gone, as they are on a device.
"""

import itertools

import jax
import polars as pl
import pytest
import small
from displays import Told
from equal_runs import assert_equal, without_notes

import tuner
from tuner.lanes.layout import Layout
from tuner.lanes.program import Program
from tuner.rounds.committer import Committer
from tuner.rounds.preflight import preflight
from tuner.rounds.room import NoRoomError, Room

EXHAUSTED = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1024 bytes."


def study(*rounds):
    """One program; eight trials fill the lanes of two devices twice."""
    two = [
        tuner.Round(trials=8, max_train_steps=20),
        tuner.Round(keep=2, max_train_steps=40, extend=tuner.LengthenConstant()),
    ]
    return small.study(space=small.space(activation="relu"), rounds=rounds or two)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "whole"
    return tuner.run(study(), directory, layout="2x2x2")


@pytest.fixture
def exhaust(monkeypatch):
    """Lets the n-th call of a method fail for want of memory; returns the failed."""
    turns = itertools.count()

    def every_second_time(self, seconds_left):
        self.wait()  # else it would be a matter of time
        return next(turns) % 2 == 1

    monkeypatch.setattr(Committer, "is_due", every_second_time)

    def inject(kind, name, *calls, message=EXHAUSTED):
        failed, count, method = [], itertools.count(1), getattr(kind, name)

        def fails(self, *args, **kwargs):
            if next(count) in calls:
                failed.append(self)
                for leaf in jax.tree.leaves(vars(self).get("lanes")):
                    leaf.delete()
                raise jax.errors.JaxRuntimeError(message)
            return method(self, *args, **kwargs)

        monkeypatch.setattr(kind, name, fails)
        return failed

    return inject


@pytest.mark.parametrize(
    ("kind", "name", "call"),
    [
        (Program, "compile", 1),
        (Program, "load", 1),
        (Program, "advance", 1),
        (Program, "advance", 8),
        (Program, "restore", 1),
        (Program, "take", 3),
        (Program, "fetch", 5),
    ],
)
def test_a_run_that_was_out_of_memory_is_bitwise_the_undisturbed_one(
    undisturbed, exhaust, tmp_path, kind, name, call
):
    failed, told = exhaust(kind, name, call), Told()
    run = tuner.run(study(), tmp_path / "run", layout="2x2x2", display=told)
    assert len(failed) == 1
    assert_equal(run, undisturbed)
    assert run.figures["trial_steps"] == undisturbed.figures["trial_steps"]
    assert run.figures["sessions"] == 1
    [event] = run.definition["out_of_memory"]
    assert (event["layout"], event["now"], event["restarted"]) == ("2x2x2", "2x1x2", [])
    assert run.definition["layouts"][event["program"]] == "2x1x2"
    assert "goes on in layout 2x1x2 from commit" in " ".join(told.notes)
    assert not {"lanes", "_data"} & vars(failed[0]).keys()  # nothing on the devices


def test_with_one_chunk_left_unfinished_trials_begin_anew_in_narrower_lanes(
    exhaust, tmp_path
):
    """Of 9 trials 8 are in the two lanes of four; they have trained when it fails."""
    nine = study(tuner.Round(trials=9, max_train_steps=20))
    exhaust(Program, "advance", 4)
    told = Told()
    run = tuner.run(nine, tmp_path / "run", layout="2x1x4", display=told)
    [event] = run.definition["out_of_memory"]
    assert (event["layout"], event["now"]) == ("2x1x4", "2x1x2")
    assert event["commit"] > 0
    assert event["restarted"] == list(range(8))
    assert "8 unfinished trials of it begun anew" in " ".join(told.notes)
    narrow = tuner.run(nine, tmp_path / "narrow", layout="2x1x2")
    assert_equal(without_notes(run), narrow)
    anew = run.trials.filter(pl.col("note") != "")
    assert anew["trial"].to_list() == event["restarted"]
    assert set(anew["note"]) == {"begun anew: out of memory in layout 2x1x4, now 2x1x2"}
    assert tuner.run(nine, run.directory).definition == run.definition


def test_ended_trials_keep_what_they_have_where_the_width_falls(exhaust, tmp_path):
    """Four trials at once: the first four have ended when the lanes are lost."""
    eight = study(tuner.Round(trials=8, max_train_steps=10))
    wide = tuner.run(eight, tmp_path / "wide", layout="1x1x4")
    exhaust(Program, "advance", 4)
    run = tuner.run(eight, tmp_path / "run", layout="1x1x4")
    [event] = run.definition["out_of_memory"]
    ended = pl.col("trial").is_in([0, 1, 2, 3])
    assert not set(event["restarted"]) & {0, 1, 2, 3}
    assert (
        run.metrics("train").filter(ended).equals(wide.metrics("train").filter(ended))
    )
    for table in ("train", "valid"):
        rows = run.metrics(table)
        assert rows.select("trial", "step").is_unique().all()
        assert rows.height == wide.metrics(table).height


def test_another_error_of_the_device_is_no_reason_to_go_on(exhaust, tmp_path):
    exhaust(Program, "advance", 2, message="INTERNAL: the device is gone")
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        tuner.run(study(), tmp_path / "run", layout="2x2x2")


def test_where_a_single_lane_does_not_fit_the_run_ends_with_what_takes_what(
    exhaust, tmp_path
):
    exhaust(Program, "compile", 1)
    with pytest.raises(NoRoomError, match="a single lane of program") as refused:
        tuner.run(study(), tmp_path / "run", layout="1x1x1")
    assert "optimizer state" in str(refused.value)


def test_a_run_is_resumed_where_its_layout_no_longer_fits(undisturbed, tmp_path):
    """Another machine: the program says what it needs, and gets fewer chunks."""
    first = study(study().rounds[0])
    directory = tmp_path / "run"
    tuner.run(first, directory, layout="2x2x2")
    memory = Room(preflight(first)).memory("all")
    limit = memory.plan(Layout(2, 2, 2)).total - 1
    assert memory.plan(Layout(2, 1, 2)).total <= limit
    run = tuner.run(study(), directory, memory=limit)
    [event] = run.definition["out_of_memory"]
    assert event["now"] == "2x1x2"
    assert_equal(run, undisturbed)
