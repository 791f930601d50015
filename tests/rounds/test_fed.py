"""A study whose examples the host reads goes through its rounds like any other."""

import re

import polars as pl
import pytest
import small
from displays import StopAfter

import tuner
from tuner.rounds.definition import data_digest

ROWS = [(small.PIXELS[i], small.LABELS[i]) for i in range(600)]


def study_of(train):
    return small.study(
        space=small.space(activation="tanh"),
        task=small.task(train=train),
        rounds=[
            tuner.Round(trials=6, max_train_steps=20),
            tuner.Round(keep=2, max_train_steps=40, extend=tuner.LengthenConstant()),
        ],
    )


def outcome(run):
    tables = [run.metrics(table) for table in ("train", "valid")]
    best = [run.restore(trial)["w1"].tobytes() for trial in run.trials["trial"]]
    return [table.rows() for table in tables], run.trials["best_step"].to_list(), best


@pytest.fixture(scope="module")
def of_arrays(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "arrays"
    return outcome(tuner.run(study_of(small.TRAIN), directory, layout="2x1x2"))


def test_two_rounds_of_a_source_are_those_of_arrays(of_arrays, tmp_path):
    run = tuner.run(study_of(tuner.Source(ROWS)), tmp_path / "run", layout="2x1x2")
    assert outcome(run) == of_arrays


def test_stopped_by_a_signal_it_goes_on_as_if_never_stopped(of_arrays, tmp_path):
    """Within a segment, of which there was room for one step at a time."""
    directory, layout = tmp_path / "run", "2x1x2"
    narrow = study_of(tuner.Source(ROWS, buffer_bytes=150_000))
    run = tuner.run(narrow, directory, layout=layout, display=StopAfter(7))
    steps = run.trials.filter(pl.col("status") == "running")["step"]
    assert any(step % 5 for step in steps)
    wide = study_of(tuner.Source(ROWS))
    assert outcome(tuner.run(wide, directory, layout=layout)) == of_arrays


class Failing:
    """Rows, of which one cannot be read until it is mended."""

    def __init__(self):
        self.mended = False

    def __len__(self):
        return len(ROWS)

    def __getitem__(self, place):
        if place == 555 and not self.mended:
            raise ConnectionError("no answer")
        return ROWS[place]


def test_what_an_example_that_cannot_be_read_stops_goes_on(of_arrays, tmp_path):
    """Every trial sees every example, so all fail, and go on where they stopped."""
    dataset = Failing()
    study = study_of(tuner.Source(dataset, retries=0))
    rule = r"no trial of round 1 could go on \(6 trials\), trial 0 because example 5"
    with pytest.raises(OSError, match=rule):
        tuner.run(study, tmp_path / "run", layout="2x1x2")
    dataset.mended = True
    run = tuner.run(study, tmp_path / "run", layout="2x1x2")
    assert outcome(run) == of_arrays


def test_a_directory_knows_its_source_again(tmp_path):
    digest = data_digest(study_of(tuner.Source(ROWS)).task)
    assert digest == data_digest(study_of(tuner.Source(ROWS)).task)
    changed = [*ROWS[:-1], (ROWS[-1][0], 1 + ROWS[-1][1])]
    assert digest != data_digest(study_of(tuner.Source(changed)).task)


def test_batches_that_do_not_fit_into_the_buffer_refuse_the_study(tmp_path):
    source = tuner.Source(ROWS, buffer_bytes=1000)
    rule = "3 batches of every lane must fit into the source's buffer, but 3 x 4 lanes"
    with pytest.raises(ValueError, match=re.escape(rule)):
        tuner.run(study_of(source), tmp_path / "run", layout="2x1x2")
    assert not (tmp_path / "run").exists()
