"""Runs that let go of states: the same results, and no more on the disk than said."""

import re

import pytest
import small
from displays import StopAfter
from equal_runs import bytes_of

import tuner
from tuner.rounds import keeping
from tuner.rounds.disk import most_bytes
from tuner.rounds.display import Silent
from tuner.rounds.preflight import preflight
from tuner.store.reader import read_ledger

FEW = tuner.Keep(best=2, branch=1)


@pytest.fixture(scope="module", autouse=True)
def at_once():
    """It is looked after the states of every other trial that ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "PATIENCE", 2)
        yield


def run(directory, **options):
    options = {"layout": "2x1x2", "display": Silent()} | options
    return tuner.run(study(**options.pop("changes", {})), directory, **options)


def study(**changes):
    rounds = [
        tuner.Round(trials=24, max_train_steps=20),
        tuner.Round(keep=4, max_train_steps=60, extend=tuner.LengthenConstant()),
    ]
    return small.study(**({"rounds": rounds} | changes))


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs") / "everything")


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs") / "few", changes={"snapshots": FEW})


def kept(run, *whats) -> set[tuple[int, str]]:
    places = read_ledger(run.directory).entries
    entries = [place.entry for place in places]
    return {(e.trial, e.what) for e in entries if not whats or e.what in whats}


def test_nothing_that_is_recorded_changes(everything, few):
    columns = everything.trials.columns
    assert few.trials.equals(everything.trials.select(columns))
    for table in ("train", "valid"):
        assert few.metrics(table).equals(everything.metrics(table))


def test_the_best_of_each_round_keep_their_states(everything, few):
    for number in (1, 2):
        best = everything.ranked.filter(round=number)["trial"].to_list()
        for trial in best[:2]:
            for what in ("best", "last"):
                there = bytes_of(everything.restore(trial, what))
                assert bytes_of(few.restore(trial, what)) == there
        few.restore(best[0], "branch")


def test_the_others_do_not(everything, few):
    assert len(kept(everything, "last")) == 28
    assert len(kept(few, "last")) == 4
    assert len(kept(few, "branch")) == 2
    worst = everything.ranked.filter(round=1)["trial"].to_list()[-1]
    said = re.escape("snapshots=tuner.Keep(best=2, branch=1)")
    with pytest.raises(LookupError, match=f"keeps none; .*{said}"):
        few.restore(worst)


@pytest.mark.parametrize(
    "changes",
    [
        {"snapshots": tuner.Keep(best=1, branch=0)},
        {
            "snapshots": tuner.Keep(best=1, branch=0),
            "rounds": [
                tuner.Round(trials=24, max_train_steps=20),
                tuner.Round(
                    keep=2,
                    control=2,
                    max_train_steps=60,
                    extend=(tuner.LengthenConstant(), tuner.Stretch()),
                ),
            ],
        },
    ],
    ids=["the best", "controls and several extensions"],
)
def test_who_is_to_go_on_begins_where_it_would(tmp_path, changes):
    bounded = run(tmp_path / "bounded", changes=changes)
    free = run(tmp_path / "free", changes=changes | {"snapshots": tuner.Keep()})
    assert bounded.trials.equals(free.trials)
    assert bounded.trials.filter(round=2)["resume"].unique().to_list() == ["exact"]


class Watching(Silent):
    """Notes how many states lie in the snapshots of a run."""

    def __init__(self, directory) -> None:
        self.directory, self.rows = directory, []

    def advanced(self, standing) -> None:
        files = read_ledger(self.directory).files.items()
        states = [row.rows for path, row in files if path.startswith("snapshots/")]
        self.rows.append(sum(states))


def test_no_more_lies_on_the_disk_than_was_said(tmp_path, monkeypatch):
    monkeypatch.setattr("tuner.rounds.cadence.Cadence.due", lambda *_: True)
    monkeypatch.setattr("tuner.rounds.disk.MOST_KEPT_BYTES", 0)  # commits are frequent
    changes = {
        "snapshots": tuner.Keep(best=1, branch=1),
        "rounds": [tuner.Round(trials=96, max_train_steps=20)],
    }
    watching = Watching(tmp_path)
    done = run(tmp_path, changes=changes, display=watching)
    plan = preflight(study(**changes))
    each = max(signature.lane_bytes for signature in plan.groups.values())
    most = most_bytes(plan, lanes=2 * 4) / each  # two programs of four lanes
    free = most_bytes(preflight(study(**changes | {"snapshots": tuner.Keep()})), 8)
    assert max(watching.rows) <= most < free / each / 2
    assert len(kept(done)) == 2


def test_interrupted_it_keeps_the_same_states(tmp_path, few):
    interrupted = run(tmp_path, changes={"snapshots": FEW}, display=StopAfter(7))
    assert interrupted.status == "interrupted"
    again = run(tmp_path, changes={"snapshots": FEW})
    assert kept(again) == kept(few)
    assert again.trials.equals(few.trials)


def test_a_complete_run_lets_go_when_it_is_told_to(tmp_path, few):
    run(tmp_path)
    assert kept(run(tmp_path, changes={"snapshots": FEW})) == kept(few)


@pytest.mark.parametrize("field", ["best", "branch"])
def test_a_number_of_states_is_a_number(field):
    with pytest.raises(ValueError, match=f"`{field} >= .`.* but got {field}=-1"):
        tuner.Keep(**{field: -1})
