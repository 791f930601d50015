"""Where the numbers of steps come from is kept, with the conditions there."""

import json

import pytest
import small
from simulated import two_rounds

from tuner.analysis.transfer_findings import transfer_findings
from tuner.rounds.definition import definition
from tuner.store import definition as kept


def flip(key, hyperparams, batch):
    return batch


@pytest.fixture
def first(tmp_path):
    """The directory of a run with batches of 64 and without augmentation."""
    study = small.study(task=small.task(batch_size=64))
    directory = tmp_path / "first"
    (directory / "tmp").mkdir(parents=True)  # where the store writes first
    kept.write(directory, json.loads(json.dumps(definition(study, {}))))
    return directory


def test_d2_a_budget_that_was_set_under_other_conditions_is_a_finding(first):
    task = small.task(batch_size=32, augment=flip)
    now = definition(small.study(task=task, budget_from=first), {})
    trials = no_trials()
    (finding,) = transfer_findings(trials, now)
    assert (finding.id, finding.subject) == ("D2", "max_train_steps")
    assert f"under the conditions of {first}" in finding.text
    assert "batch_size was 64 and is 32: more steps" in finding.text
    assert "augment was none and is flip: more steps" in finding.text


def test_d2_the_same_conditions_are_no_finding(first):
    study = small.study(task=small.task(batch_size=64), budget_from=first)
    assert [*transfer_findings(no_trials(), definition(study, {}))] == []


def test_d2_what_was_kept_once_stays(first):
    study = small.study(budget_from=str(first))
    before = definition(study, {})
    (first / kept.NAME).unlink()
    assert definition(study, before)["budget"] == before["budget"]


def test_a_budget_from_nowhere_is_refused(tmp_path):
    study = small.study(budget_from=tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="pass the one whose best steps set"):
        definition(study, {})


def no_trials():
    """The frame of a run that has not begun."""
    return two_rounds(0, trials=12, keep=1).clear()
