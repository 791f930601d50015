"""Examples that cannot be read are the loss of the trials that need them alone."""

import numpy as np
import polars as pl
import pytest
import small
from displays import StopAfter, Told
from equal_runs import assert_equal, bytes_of

import tuner
from tuner.lanes import host_order
from tuner.lanes.feed import data_key
from tuner.rounds.trials import planned

ROWS = [(small.PIXELS[i], small.LABELS[i]) for i in range(600)]
STEPS = 10  # of 32 examples: about half of the data, whichever half it is
LAYOUT = "2x1x2"


class Flaky:
    """The rows; some cannot be read, and from some reading on none can."""

    def __init__(self, *bad, left=None):
        self.bad, self.left = set(bad), left

    def __len__(self):
        return len(ROWS)

    def __getitem__(self, place):
        if self.left is not None:
            self.left -= 1
        if place in self.bad or (self.left or 0) < 0:
            raise ConnectionError("no answer")
        return ROWS[place]


def study_of(dataset, **options):
    source = tuner.Source(dataset, retries=0, **options)
    return small.study(
        space=small.space(activation="tanh"),
        task=small.task(train=source),
        rounds=[
            tuner.Round(trials=6, max_train_steps=STEPS),
            tuner.Round(keep=2, max_train_steps=15, extend=tuner.LengthenConstant()),
        ],
    )


def places_of(study, trial, steps=STEPS):
    """What a trial reads, a row a step: from its numbers alone."""
    key = data_key(study.seed, trial.numbers)
    return host_order.batch_indices(
        key, 0, 0, steps=steps, batch_size=32, num_examples=len(ROWS)
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Nothing fails."""
    return tuner.run(
        study_of(ROWS), tmp_path_factory.mktemp("a") / "run", layout=LAYOUT
    )


@pytest.fixture(scope="module")
def bad(whole):
    """A place that the best trial needs late, and who else needs it when."""
    study = study_of(ROWS)
    read = {t.trial: places_of(study, t, steps=15) for t in planned(study, 1)}
    best = whole.ranked.filter(round=1).row(0, named=True)["trial"]
    for place in map(int, read[best][5:STEPS].ravel()):
        rows = {trial: np.argwhere(read[trial] == place)[:, 0] for trial in read}
        first = {trial: int(steps[0]) for trial, steps in rows.items() if len(steps)}
        if 2 <= len(first) <= 3 and max(first.values()) < STEPS:
            return place, first
    raise AssertionError("no place is needed by two or three trials, in round 1")


@pytest.fixture(scope="module")
def failed(bad, tmp_path_factory):
    told = Told()
    study = study_of(Flaky(bad[0]))
    directory = tmp_path_factory.mktemp("b") / "run"
    return tuner.run(study, directory, layout=LAYOUT, display=told), told


def test_who_needs_it_fails_and_says_why(failed, bad):
    run, _ = failed
    place, needed_by = bad
    lost = run.trials.filter(round=1, status="failed")
    assert lost["trial"].to_list() == sorted(needed_by)
    why = f"example {place} of Flaky could not be read in 1 attempts, the last error "
    assert set(lost["note"]) == {f"{why}was ConnectionError: no answer"}
    at = {t: step // 5 * 5 for t, step in needed_by.items()}  # calls of five steps
    assert dict(lost.select("trial", "step").iter_rows()) == at


def test_all_others_are_bit_for_bit_as_without(failed, bad, whole):
    run, _ = failed
    for table in ("train", "valid"):
        mine, theirs = run.metrics(table), whole.metrics(table)
        first = mine.filter(pl.col("trial") < 6)
        assert first.equals(theirs.join(first, on=["trial", "step"], how="semi"))
        assert (first["trial"].is_in(list(bad[1])) | (first["step"] <= STEPS)).all()
    for trial in set(range(6)) - set(bad[1]):
        assert bytes_of(run.restore(trial)) == bytes_of(whole.restore(trial))
        assert run.metrics("train").filter(trial=trial).height == STEPS


def test_a_failed_trial_is_not_the_best_and_goes_not_on(failed, bad, whole):
    run, _ = failed
    parents = run.trials.filter(round=2)["parent"].to_list()
    assert set(whole.trials.filter(round=2)["parent"]) & set(bad[1])
    assert set(parents).isdisjoint(bad[1])
    assert len(parents) == 2
    assert run.best["trial"] not in bad[1]
    assert run.ranked["trial"].is_in(list(bad[1])).not_().all()
    assert run.status == "complete"


def test_what_it_had_recorded_and_its_state_stay(failed, bad, whole):
    run, _ = failed
    for trial, step in bad[1].items():
        at = step // 5 * 5
        rows = run.metrics("train").filter(trial=trial)
        assert rows["step"].to_list() == list(range(1, at + 1))
        if at:
            state = run.restore(trial, "last")["variables"]
            assert set(state) == {"w1", "b1", "w2"}


def test_it_is_told_and_counted(failed, bad):
    run, told = failed
    notes = [note for note in told.notes if note.endswith("no answer")]
    lost = run.trials.filter(status="failed")
    expected = [
        f"trial {t} failed, and the others go on: {why}"
        for t, why in lost.select("trial", "note").iter_rows()
    ]
    assert sorted(notes) == expected
    assert max(s.failed for s in told.standings if s.round == 1) == len(bad[1])
    (finding,) = [f for f in run.findings() if f.subject == "failed trials"]
    assert finding.text.startswith(f"{lost.height} of {run.trials.height} trials fail")


def test_data_out_of_reach_are_no_trials_fault(whole, tmp_path):
    """In the second call of four lanes; then they are back."""
    directory, dataset = tmp_path / "run", Flaky(left=1200)
    with pytest.raises(OSError, match="of Flaky could not be read in 1 attempts"):
        tuner.run(study_of(dataset), directory, layout=LAYOUT)
    assert "failed" not in set(tuner.open_run(directory).trials["status"])
    dataset.left = None
    assert_equal(tuner.run(study_of(dataset), directory, layout=LAYOUT), whole)


@pytest.mark.parametrize("calls", [1, 3])
def test_interrupted_they_fail_all_the_same(failed, bad, tmp_path, calls):
    directory, study = tmp_path / "run", study_of(Flaky(bad[0]))
    tuner.run(study, directory, layout=LAYOUT, display=StopAfter(calls))
    run = tuner.run(study, directory, layout=LAYOUT)
    assert_same_tables(run, failed[0])


def assert_same_tables(run, other):
    assert run.trials.equals(other.trials)
    for table in ("train", "valid"):
        assert run.metrics(table).equals(other.metrics(table))
