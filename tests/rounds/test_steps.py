"""`find_steps`, the playbook's D6, from the study to its verdict."""

import dataclasses
import functools
import json
import shutil

import fittable
import polars as pl
import pytest
import small

import tuner
from tuner.lanes.compilations import compilations
from tuner.rounds import procedure
from tuner.rounds.display import Silent
from tuner.rounds.subject import longer_is_in_vain, subject
from tuner.store import verdict

WAITS = "interrupted: the same call goes on."
LAYOUT, SHORT = fittable.LAYOUT, fittable.SHORT


def find(study, directory, **options):
    return tuner.find_steps(study, directory, layout=LAYOUT, **(SHORT | options))


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("fittable")


@pytest.fixture(scope="module")
def found(directory):
    return find(fittable.study(), directory)


def test_d6_a_set_that_can_be_fitted_gets_an_answer(found):
    fitted = found.rates.filter(outcome="fitted")
    assert (found.verdict, found.fits, found.edge) == ("answer", True, "")
    assert found.steps == fitted["steps"].min()
    row = fitted.filter(learning_rate=found.learning_rate).row(0, named=True)
    assert (row["steps"], row["best"], row["every"]) == (found.steps, 0.0, found.every)
    assert 1e-3 < found.learning_rate < 1.0
    assert f"is fitted perfectly (train/error 0) in {found.steps} steps" in found.text


def test_d6_every_rate_of_the_grid_has_its_steps_or_more_than_it_was_given(found):
    assert found.rates["learning_rate"].to_list() == pytest.approx(
        [10 ** (n / 2 - 3) for n in range(7)]
    )
    unfitted = found.rates.filter(outcome="not fitted")
    assert (unfitted["best"] > 0).all()
    assert (unfitted["within"] >= found.steps).all()


def test_d6_the_rates_are_constant_and_regularization_is_off(found, directory):
    assert found.off == {"weight_decay": 0.0}
    (folder, *_) = (directory / "steps").glob("grid-*")
    run = tuner.open_run(folder)
    used = run.metrics("train").group_by("trial").agg(pl.col("learning_rate").unique())
    assert set(used["learning_rate"].list.len()) == {1}
    assert run.trials["hp.weight_decay"].unique().to_list() == [0.0]


def test_d6_a_trial_that_has_fitted_trains_no_further(found, directory):
    folders = (directory / "steps").glob("grid-*")
    trials = [tuner.open_run(folder).trials for folder in folders]
    stopped = pl.concat(each.filter(status="stopped") for each in trials)
    assert stopped.height
    assert set(stopped["note"]) == {"stopped by Perfect"}


def test_the_verdict_is_kept_with_its_evidence(found, directory):
    kept = verdict.read(directory)
    assert kept == json.loads(json.dumps(kept))
    assert (kept["verdict"], kept["steps"]) == ("answer", found.steps)
    assert kept["rates"] == found.rates.to_dicts()


def test_the_same_call_again_trains_nothing(found, directory):
    compiled = compilations()
    again = find(fittable.study(), directory)
    assert again.describe() == found.describe()
    assert compilations() == compiled


def test_d6_a_grid_cut_off_too_low_is_refused_and_the_next_one_gives_an_answer(
    found, directory, tmp_path
):
    copy = shutil.copytree(directory, tmp_path / "copy")
    low = find(fittable.study(), copy, low=1e-3, high=3e-3)
    assert (low.verdict, low.fits) == ("refused", True)
    assert "The grid to try next is from " in low.text
    assert low.next_grid[1] > 3e-3
    next_low, next_high = low.next_grid
    assert next_low < low.configuration["learning_rate"] < next_high
    wider = find(fittable.study(), copy, low=next_low, high=10 * next_high)
    assert wider.verdict == "answer"
    assert low.steps is None or wider.steps < low.steps


def test_d6_a_set_that_was_fitted_by_the_search_alone_is_fitted(tmp_path):
    kept = {"fits": True, "steps": None, "searched_steps": 90}
    verdict.write(tmp_path, kept | {"about": subject(fittable.study())})
    (line,) = longer_is_in_vain(fittable.study(), tmp_path)
    assert "fitted within 90 steps" in line


def test_d6_contradicting_labels_cannot_be_fitted_and_rounds_are_the_recipe(tmp_path):
    found = find(fittable.contradicting(), tmp_path)
    assert (found.verdict, found.fits, found.steps) == ("not fitted", False, None)
    assert found.closest[0] >= 0.5
    assert "cannot be fitted: none of 4 trials reached train/error 0" in found.text
    assert "Rounds are the recipe" in found.text
    assert not list((tmp_path / "steps").glob("grid-*"))


def test_d6_rates_that_are_all_too_low_do_not_make_a_set_unfittable(tmp_path):
    low = fittable.space(learning_rate=tuner.Float(1e-5, 1e-3, log=True))
    study = fittable.study(space=low)
    options = {"trials": 16, "first_steps": 100, "max_steps": 100}
    found = find(study, tmp_path, **options)
    assert (found.verdict, found.fits, found.edge) == ("refused", False, "high")
    assert "they got better towards the high end of the rates from 1e-05" in found.text
    assert found.next_grid == (1e-4, 1e-2)
    further = find(study, tmp_path, low=1e-3, high=1.0, **options)
    assert further.fits
    assert further.configuration["learning_rate"] > 1e-3


def test_interrupted_it_goes_on_to_the_same_verdict(found, tmp_path, monkeypatch):
    little = functools.partial(procedure.run, budget=tuner.Budget(steps=1))
    with monkeypatch.context() as patch:
        patch.setattr(procedure, "run", little)
        left = find(fittable.study(), tmp_path)
    assert (left.verdict, left.text) == ("unfinished", WAITS)
    assert verdict.read(tmp_path) is None
    assert find(fittable.study(), tmp_path).describe() == found.describe()


# What a run reads of it


class Unbuilt(Silent):
    """Ends a run before a program of it is compiled."""

    def compiling(self, standing, trials, layout):
        raise RuntimeError("not to be compiled")


def test_with_another_loss_its_parts_begin_anew(
    found, directory, tmp_path, monkeypatch
):
    def loss(*arguments):
        value, metrics = small.loss(*arguments)
        return value / 2, metrics

    again = functools.partial(procedure.run, display=Unbuilt())
    monkeypatch.setattr(procedure, "run", again)
    copied = shutil.copytree(directory, tmp_path / "copied")
    with pytest.raises(RuntimeError, match="not to be compiled"):
        find(fittable.study(task=fittable.task(loss=loss)), copied)
    assert len([*copied.glob("steps/search-*-until-*")]) == 1


def test_longer_rounds_of_a_study_that_can_be_fitted_are_told_to_be_in_vain(
    found, directory
):
    (line,) = longer_is_in_vain(fittable.study(), directory)
    assert f"fitted within {found.steps} steps" in line
    assert "round 2's 200 steps are unlikely to help" in line


def test_nothing_is_said_of_rounds_that_are_no_longer(found, directory):
    short = dataclasses.replace(fittable.study(), rounds=fittable.study().rounds[:1])
    assert list(longer_is_in_vain(short, directory)) == []


def test_nothing_is_said_to_a_study_of_other_data(found, directory):
    other = fittable.study(task=fittable.contradicting().task)
    assert list(longer_is_in_vain(other, directory)) == []


def test_nothing_is_said_where_there_is_no_verdict(tmp_path):
    assert list(longer_is_in_vain(fittable.study(), tmp_path)) == []


class Noting(Silent):
    """Remembers what is noted."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_a_run_and_its_findings_say_so_and_it_goes_on(found, directory):
    display = Noting()
    run = tuner.run(fittable.study(), directory, layout=LAYOUT, display=display)
    assert any("unlikely to help" in note for note in display.notes)
    assert run.steps_to_fit["steps"] == found.steps
    assert "D6" in {finding.id for finding in run.findings()}
    assert run.trials.filter(round=2)["status"].to_list() == ["complete"] * 2
