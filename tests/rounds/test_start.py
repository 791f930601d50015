"""A run whose code has changed is not gone on with in silence."""

import dataclasses
import json
import re
import shutil

import equal_runs
import jax
import pytest
import small
from displays import RaiseAfter, Told

import tuner
from tuner.lanes.compilations import compilations
from tuner.rounds.committer import Committer
from tuner.rounds.definition import OtherStudyError, instruction_set
from tuner.store import definition
from tuner.store.lock import LockedError, hold

LAYOUT = "2x1x2"


def study(**task):
    """A part of the small study: one program, one round."""
    return small.study(
        space=small.space(activation="relu"),
        task=small.task(**task),
        rounds=[tuner.Round(trials=6, max_train_steps=20)],
    )


def doubled(key, hyperparams, params, batch):
    value, metrics = small.loss(key, hyperparams, params, batch)
    return 2 * value, metrics


def smaller(key, hyperparams):
    return jax.tree.map(lambda a: a / 2, small.init(key, hyperparams))


def wider(key, hyperparams):
    return {**small.init(key, hyperparams), "more": jax.numpy.zeros(2)}


OTHER = study(loss=doubled)


def run(study, directory, **options):
    """The run, and what its display was told."""
    told = Told()
    return tuner.run(
        study, directory, layout=LAYOUT, display=told, **options
    ), told.notes


def read(directory):
    """Its definition."""
    return definition.read(directory)


def files(directory):
    """All that a run has recorded."""
    paths = sorted(p for p in directory.rglob("*") if p.is_file())
    return {p.relative_to(directory): p.read_bytes() for p in paths if p.name != "lock"}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The directory of a run that was broken off in the middle; never written again."""
    directory = tmp_path_factory.mktemp("runs") / "begun"
    with pytest.MonkeyPatch.context() as patch:
        # Every call is durable before the next.
        patch.setattr(Committer, "is_due", lambda self, _: self.wait() is None)
        with pytest.raises(RuntimeError, match="from outside"):
            tuner.run(study(), directory, layout=LAYOUT, display=RaiseAfter(6))
    return directory


@pytest.fixture
def here(begun, tmp_path):
    """A copy of it to go on with."""
    return shutil.copytree(begun, tmp_path / "here")


@pytest.fixture(scope="module")
def by_other(tmp_path_factory):
    """What the other code alone makes of the study."""
    return run(OTHER, tmp_path_factory.mktemp("runs") / "other")[0]


def test_it_is_refused_before_anything_compiles(here):
    before, compiled = files(here), compilations()
    rule = (
        "a run must be trained by the same code from its first step to its last, but "
        f"loss has changed since {here} was trained: undo that, or say how to go on, "
        "with --restart (restart=True) anew, while the run so far is moved aside, with "
        "--fork DIR (fork=DIR) in a copy of it, or with --accept-change "
        "(accept_change=True) here, which is kept on record"
    )
    with pytest.raises(OtherStudyError, match=re.escape(rule)):
        run(OTHER, here)
    assert files(here) == before
    assert compilations() == compiled


def test_a_run_that_has_trained_nothing_takes_the_code_there_is(tmp_path, begun):
    said = read(begun)
    assert said["functions"]["loss"]  # else nothing would be compared
    with pytest.raises(KeyboardInterrupt):
        tuner.run(study(), tmp_path / "run", layout=LAYOUT, display=Refusing())
    _, notes = run(OTHER, tmp_path / "run")
    assert notes == []
    assert "changes" not in read(tmp_path / "run")


class Refusing(Told):
    """Ends the run before its first program is compiled."""

    def compiling(self, standing, trials, layout):
        raise KeyboardInterrupt


def test_accepted_it_goes_on_and_keeps_a_record(here):
    done, notes = run(OTHER, here, accept_change=True)
    assert notes == ["goes on with another loss, which is on record"]
    assert done.status == "complete"
    (change,) = read(here)["changes"]
    assert change["kind"] == "accepted"
    assert change["functions"] == ["loss"]
    assert change["ended"] == "0-3"
    assert change["steps"] == {"4": 5, "5": 5}
    (found,) = [f for f in done.findings() if f.id == "same"]
    assert found.subject == "loss"
    assert found.text.endswith(
        "went on with another loss. Trials 0-3 had ended; unfinished were 4 at 5 and 5 "
        "at 5 (trial at step)."
    )
    page = tuner.write_report(done).read_text()
    assert "the run went on with another loss" in page
    assert "This run was not trained under the same from its first step" in page


def test_what_was_accepted_is_the_codes_from_then_on(here):
    run(OTHER, here, accept_change=True)
    again, notes = run(OTHER, here)
    assert (again.status, notes) == ("complete", [])
    assert len(read(here)["changes"]) == 1
    with pytest.raises(OtherStudyError, match="but loss has changed"):
        run(study(), here)


def test_restarted_it_is_the_run_of_the_new_code_and_the_old_one_is_kept(
    here, by_other
):
    before = files(here)
    done, notes = run(OTHER, here, restart=True)
    (aside,) = here.parent.glob("here-until-*")
    assert notes == [
        f"begins anew, since loss has changed; the run so far is in {aside}"
    ]
    assert files(aside) == before
    equal_runs.assert_equal(done, by_other)
    assert "changes" not in read(here)


def test_restart_goes_on_where_nothing_has_changed(here):
    """The same command can be given again, after an interruption too."""
    steps = tuner.open_run(here).figures["trial_steps"]
    done, _ = run(study(), here, restart=True)
    assert steps > 0
    assert done.figures["sessions"] == 2
    assert not list(here.parent.glob("here-until-*"))


def test_restart_begins_anew_where_the_study_is_another(here):
    another = dataclasses.replace(study(), seed=4)
    _, notes = run(another, here, restart=True)
    assert notes[0].startswith("begins anew, since it differs in seed (3, now 4); the")
    assert read(here)["study"]["seed"] == 4


def test_a_run_that_is_written_is_not_moved(here):
    with hold(here), pytest.raises(LockedError):
        run(OTHER, here, restart=True)
    assert not list(here.parent.glob("here-until-*"))


def test_a_copy_goes_on_with_the_new_code(here, tmp_path):
    before, copy = files(here), tmp_path / "deep" / "copy"
    done, notes = run(OTHER, here, fork=copy)
    assert notes == [f"goes on in {copy}, a copy of {here}"]
    assert files(here) == before
    assert (done.directory, done.status) == (copy, "complete")
    (change,) = read(copy)["changes"]
    assert change["kind"] == "forked"
    assert change["from"] == str(here)
    assert change["functions"] == ["loss"]
    old = tuner.open_run(here).metrics("train")
    kept = done.metrics("train").join(old, on=["trial", "step"], how="semi")
    assert old.height > 0
    assert kept.equals(old)
    (found,) = [f for f in done.findings() if f.id == "same"]
    assert found.text.startswith(f"This run is a copy of {here}, which went on here on")


def test_the_same_call_goes_on_with_the_copy_though_the_run_is_gone(here, tmp_path):
    run(OTHER, here, fork=tmp_path / "copy")
    shutil.rmtree(here)
    again, notes = run(OTHER, here, fork=tmp_path / "copy")
    assert (again.status, notes) == ("complete", [])
    assert again.directory == tmp_path / "copy"


def test_a_copy_is_all_there_or_not_at_all(here, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(definition, "write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(OTHER, here, fork=tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    done, _ = run(OTHER, here, fork=tmp_path / "copy")
    assert done.status == "complete"
    assert {p.name for p in tmp_path.iterdir()} == {"here", "copy"}


def test_states_of_another_form_cannot_be_gone_on_with(here):
    rule = (
        "a trial must go on with a state like that which it has left, but init, loss "
        "and optimizer make states of another form than those that "
        f"{here} keeps: begin anew, with --restart (restart=True)"
    )
    before = files(here)
    with pytest.raises(OtherStudyError, match=re.escape(rule)):
        run(study(init=wider), here, accept_change=True)
    assert files(here) == before


def test_metrics_that_the_tables_have_not_are_refused_and_not_on_record(here):
    def evaluate(key, hyperparams, params, batch):
        return {**small.evaluate(key, hyperparams, params, batch), "more": 1.0}

    before = read(here)
    with pytest.raises(ValueError, match="more"):
        run(study(evaluate=evaluate), here, accept_change=True)
    assert read(here) == before


def test_one_way_is_chosen(here):
    rule = (
        "at most one of restart, fork and accept_change must be given, but got restart "
        "and accept_change"
    )
    with pytest.raises(ValueError, match=rule):
        run(OTHER, here, restart=True, accept_change=True)


def test_there_must_be_something_to_copy(tmp_path):
    rule = re.escape(f"fork= copies the run of a directory, but {tmp_path / 'no'} hold")
    with pytest.raises(FileNotFoundError, match=rule):
        run(OTHER, tmp_path / "no", fork=tmp_path / "copy")


def test_a_copy_is_alone(here, tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "thesis.tex").touch()
    rule = "a copy of a run needs a new directory, but .*copy holds something else"
    with pytest.raises(FileExistsError, match=rule):
        run(OTHER, here, fork=tmp_path / "copy")


# Other versions, another machine


def elsewhere(directory, **changes):
    """As if it had been trained under something else."""
    definition.write(directory, {**read(directory), **changes})


def test_another_instruction_set_is_told_once_and_recorded(here):
    elsewhere(here, instruction_set="mmx")
    now = instruction_set()
    with pytest.raises(RuntimeError, match="from outside"):
        tuner.run(study(), here, display=(told := ToldAndRaising(1)))
    assert told.notes == [
        f"goes on under instruction set {now} (was mmx): what it does from here on "
        "equals an uninterrupted run to rounding only"
    ]
    done, notes = run(study(), here)
    assert (done.status, notes) == ("complete", [])
    (change,) = read(here)["changes"]
    assert change["differences"] == {"instruction set": ["mmx", now]}
    (found,) = [f for f in done.findings() if f.id == "same"]
    assert f"under instruction set {now} (was mmx): it equals" in found.text


class ToldAndRaising(RaiseAfter):
    """Keeps what it is told until it ends the run."""

    def __init__(self, calls):
        super().__init__(calls)
        self.notes = []

    def note(self, text):
        self.notes += [] if text.startswith("JAX") else [text]


def test_under_another_version_functions_are_not_compared(here):
    elsewhere(here, versions=read(here)["versions"] | {"jax": "0.1"})
    _, notes = run(OTHER, here)
    start = f"goes on under jax {jax.__version__} (was 0.1): what it does from here on"
    assert notes[0].startswith(start)
    assert notes[0].endswith("cannot be told between versions")


def test_a_complete_run_stays_as_it_was_trained(here):
    run(study(), here)
    elsewhere(here, versions=read(here)["versions"] | {"jax": "0.1"})
    before = json.loads((here / "study.json").read_text())
    _, notes = run(study(), here)
    assert notes == []
    assert json.loads((here / "study.json").read_text()) == before
