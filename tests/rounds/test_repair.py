"""A repaired run equals the undamaged one, and nothing that is sound trains again."""

import dataclasses
import itertools
import shutil
from pathlib import Path

import pytest
from damaging import KEPT
from displays import Told
from equal_runs import assert_equal, without_notes
from kept import make_run

import tuner
from tuner.rounds import repair as repairing
from tuner.rounds.cadence import Cadence
from tuner.rounds.definition import OtherStudyError
from tuner.store.durable import DamagedError
from tuner.store.ledger import FileRow, Ledger, Place, TrialRow
from tuner.store.lock import LockedError
from tuner.store.reader import read_ledger
from tuner.store.snapshots import Entry
from tuner.store.writer import Commit, Writer


@pytest.fixture(scope="module", autouse=True)
def committing_often():
    turns = itertools.count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cadence, "due", lambda *_: next(turns) % 2 == 1)
        yield


@pytest.fixture(scope="module", params=["snapshot"])
def whole(request, tmp_path_factory):
    """A run of two rounds that is complete, six trials and the two that went on.

    Its best states are snapshots of their own, or in the lanes.
    """
    options = {"layout": make_run.LAYOUT, "best_state": request.param}
    directory = tmp_path_factory.mktemp("whole") / "run"
    return tuner.run(make_run.study(), directory, display=Told(), **options)


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of it to be damaged."""
    return Path(shutil.copytree(whole.directory, tmp_path / "run"))


@pytest.fixture
def kept(tmp_path):
    """A copy of a run that is not trained here."""
    return Path(shutil.copytree(KEPT, tmp_path / "run"))


def repair(directory, **options):
    return tuner.repair(make_run.study(), directory, display=Told(), **options)


def damage_a_part(run):
    """Of the first round's steps."""
    (run / "metrics/train/000002.parquet").unlink()
    return {0, 1, 2, 3, 4, 5}


def damage_the_evaluations_of_the_second_round(run):
    """The last part, and the columns of both tables."""
    last = max((run / "metrics/valid").iterdir())
    last.write_bytes(last.read_bytes()[:-1])
    for table in ("train", "valid"):
        (run / "metrics" / table / "000000.parquet").write_bytes(b"")
    return {6, 7}


def damage_a_snapshot(run):
    """The one with the most states; those who began from one of them are left."""
    ledger = read_ledger(run)
    paths = [place.path for place in ledger.entries]
    path = max(paths, key=paths.count)
    (run / path).write_bytes(b"")
    return {place.entry.trial for place in ledger.entries if place.path == path}


def damage_all_that_can_be(run):
    for folder in ("metrics/train", "metrics/valid", "snapshots"):
        shutil.rmtree(run / folder)
    return set(range(8))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("whole", "damage"),
    [
        ("lane", damage_a_part),
        ("lane", damage_a_snapshot),
        ("snapshot", damage_the_evaluations_of_the_second_round),
        ("snapshot", damage_a_snapshot),
        ("snapshot", damage_all_that_can_be),
    ],
    indirect=["whole"],
)
def test_a_repaired_run_equals_the_undamaged_one(whole, copy, damage):
    ill = damage(copy)
    assert set(tuner.check_files(copy).trials) == ill
    before = tuner.Run(copy).trials
    run = repair(copy)
    assert tuner.check_files(copy).is_sound
    again = run.trials.filter(note=repairing.NOTE)["trial"]
    assert set(again) == ill
    assert before["note"].to_list() == [""] * 8
    assert_equal(without_notes(run), whole)
    assert run.status == "complete"


@pytest.mark.slow
def test_a_child_that_trains_again_needs_the_state_it_began_from(whole, copy):
    """What it began from was let go of meanwhile: so who left it trains again too."""
    ledger = read_ledger(copy)
    [child] = [row for row in ledger.trials if row.trial == 6]
    with Writer(copy) as writer:
        states = [(child.resumed_from, what) for what in ("branch", "branch_best")]
        writer.commit(Commit(dropped=states, figures=ledger.figures))
    max((copy / "metrics/train").iterdir()).unlink()
    assert tuner.check_files(copy).trials == (6, 7)
    run = repair(copy)
    again = run.trials.filter(note=repairing.NOTE)["trial"]
    assert set(again) == {6, 7, child.resumed_from}
    assert_equal(without_notes(run), whole)


def test_an_interrupted_repair_goes_on_as_any_run_does(whole, copy):
    ill = damage_a_part(copy)
    left = repair(copy, budget=tuner.Budget(steps=1))
    assert left.status == "interrupted"
    assert set(left.trials.filter(note=repairing.NOTE)["trial"]) == ill
    assert set(left.trials.filter(status="complete")["trial"]) == {6, 7}
    done = tuner.run(make_run.study(), copy, display=Told())
    assert_equal(without_notes(done), whole)


def test_a_sound_run_is_left_as_it_is(whole, copy):
    before = {p: p.read_bytes() for p in (copy / "metrics").rglob("*.parquet")}
    assert repair(copy).figures["trial_steps"] == whole.figures["trial_steps"]
    after = {p: p.read_bytes() for p in (copy / "metrics").rglob("*.parquet")}
    assert after == before


def test_a_damaged_verdict_is_removed(copy):
    (copy / "steps").mkdir()
    (copy / "steps/verdict.json").write_text("{")
    repair(copy)
    assert tuner.Run(copy).steps_to_fit is None
    assert not (copy / "steps/verdict.json").exists()


@pytest.mark.parametrize("name", ["trials.sqlite", "study.json"])
def test_what_is_beyond_repair_is_refused_and_nothing_forgotten(kept, name):
    damage_a_part(kept)
    (kept / name).write_bytes(b"")
    left = {p: p.read_bytes() for p in kept.rglob("*") if p.is_file()}
    with pytest.raises(DamagedError, match=name):
        repair(kept)
    assert {p: p.read_bytes() for p in kept.rglob("*") if p.is_file()} == left


def test_another_study_is_refused_before_anything_is_forgotten(kept):
    damage_a_part(kept)
    other = dataclasses.replace(make_run.study(), seed=9)
    with pytest.raises(OtherStudyError, match=r"seed \(5, now 9\)"):
        tuner.repair(other, kept, display=Told())
    assert tuner.Run(kept).trials["note"].to_list() == [""] * 8


def test_other_code_is_refused_before_anything_is_forgotten(whole, copy):
    damage_a_part(copy)
    other = make_run.study(loss=lambda *a: (2 * make_run.loss(*a)[0], {}))
    with pytest.raises(OtherStudyError, match="loss has changed"):
        tuner.repair(other, copy, display=Told())
    assert tuner.Run(copy).trials["note"].to_list() == [""] * 8


def test_a_run_that_is_being_written_is_refused(kept):
    damage_a_part(kept)
    with (
        Writer(kept, damaged=["metrics/train/000002.parquet"]),
        pytest.raises(LockedError),
    ):
        repair(kept)
    assert tuner.Run(kept).trials["note"].to_list() == [""] * 8


# Who trains again

STATES = {1: ("branch", 4), 2: ("branch", 8), 3: ("last", 16)}  # trial: state left


@pytest.mark.parametrize(
    ("lost", "damaged", "again"),
    [
        # trial 1 <- 2 at step 4 <- 3 at step 8, each state in a snapshot of its own
        ({3}, set(), {3}),
        ({3}, {2}, {2, 3}),  # what it began from is gone
        ({3}, {1, 2}, {1, 2, 3}),  # and so is what that began from
        ({3}, {1}, {3}),  # which nobody needs
        ({1}, {1}, {1}),  # nor does its being gone harm who came from it
        ({1, 3}, {1, 2}, {1, 2, 3}),
        (set(), set(), set()),
    ],
)
def test_sources_train_again_where_their_states_are_gone(lost, damaged, again):
    trials = (_row(1), _row(2, 1, start=4), _row(3, 2, start=8))
    places = tuple(
        Place(Entry(trial=trial, what=what, step=step), f"snapshots/{trial}", 0)
        for trial, (what, step) in STATES.items()
    )
    files = {f"snapshots/{t}": _snapshot(t) for t in STATES}
    ledger = Ledger(number=1, trials=trials, figures={}, files=files, entries=places)
    paths = {f"snapshots/{trial}" for trial in damaged}
    assert repairing.trained_again(ledger, lost, paths) == again


def _row(trial, resumed_from=None, *, start=0):
    return TrialRow(
        trial=trial,
        sample=0,
        replicate=0,
        round=trial,
        group="all",
        parent=resumed_from,
        resumed_from=resumed_from,
        start_step=start,
        resume="exact" if start else "fresh",
        status="complete",
        max_train_steps=4 * 2**trial,
        step=4 * 2**trial,
        combination="",
        hyperparams={},
        schedule={},
    )


def _snapshot(number):
    return FileRow(path=f"snapshots/{number}", rows=1, sha256="b")
