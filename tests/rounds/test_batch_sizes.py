"""Batch sizes that share a program, from the study to its tables."""

import dataclasses

import polars as pl
import pytest
import small

import tuner

SIZES = tuner.Choice(16, 32, 64)


def study():
    """Three sizes and two horizons; the best go on."""
    return small.study(
        space=small.space(activation="relu", batch_size=SIZES),
        task=small.task(batch_size="traced"),
        rounds=[
            tuner.Round(trials=12, max_train_steps=20),
            tuner.Round(keep=2, max_train_steps=40, extend=tuner.LengthenConstant()),
        ],
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tuner.run(study(), tmp_path_factory.mktemp("runs") / "sizes")


def test_all_sizes_share_one_program(run):
    assert set(run.trials["hp.batch_size"]) == {16, 32, 64}
    assert set(run.trials["group"]) == {"all"}
    assert run.figures["programs"] == run.figures["trainings_traced"] == 1


@pytest.mark.parametrize(("table", "every"), [("train", 1), ("valid", 5)])
def test_each_trial_has_its_rows_whatever_its_batch(run, table, every):
    rows = run.metrics(table)
    for trial in run.trials.to_dicts():
        mine = rows.filter(trial=trial["trial"])
        first, last = trial["start_step"], trial["max_train_steps"]
        assert mine["step"].to_list() == list(range(first + every, last + 1, every))
        examples = mine["step"].cast(pl.Int64) * trial["hp.batch_size"]
        assert mine["examples"].equals(examples.alias("examples"))


def test_a_promoted_trial_resumes_exactly(run):
    children = run.trials.filter(round=2)
    assert children["resume"].to_list() == ["exact", "exact"]


def test_by_default_a_size_is_a_program_of_its_own():
    by_size = dataclasses.replace(study(), task=small.task(batch_size=None))
    configuration = {"activation": "relu", "batch_size": 16}
    assert by_size.static(configuration)["batch_size"] == 16
    assert "batch_size" not in study().static(configuration)
