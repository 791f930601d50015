"""Programs that train side by side: one joins in where another has none waiting."""

import numpy as np
import pytest
import small
from displays import StopAfter

import tuner
from tuner.lanes.engine import Engine
from tuner.rounds.cadence import Cadence
from tuner.rounds.workshop import Workshop

LAYOUT = "2x2x2"  # lanes for all six trials of a program


@pytest.fixture
def advanced(monkeypatch):
    """The programs in the order in which their engines were asked to go on.

    The second is waited for, so that both train at once however fast they compile.
    """
    order, advance, engine = [], Engine.advance, Workshop.engine

    def watched(self, **options):
        order.append(self.program.group.static["activation"])
        return advance(self, **options)

    def patient(self, *arguments, wait):
        return engine(self, *arguments, wait=True)

    monkeypatch.setattr(Engine, "advance", watched)
    monkeypatch.setattr(Workshop, "engine", patient)
    return order


def study():
    return small.study(rounds=[tuner.Round(trials=12, max_train_steps=40)])


def tables(run):
    return [run.metrics(name).sort("trial", "step") for name in ("train", "valid")]


def test_interrupted_between_two_programs_the_rest_is_the_same(
    advanced, tmp_path, monkeypatch
):
    whole = tuner.run(study(), tmp_path / "whole", layout=LAYOUT)
    assert advanced[:5] == ["relu", "relu", "tanh", "relu", "tanh"]
    monkeypatch.setattr(Cadence, "due", lambda *_: False)  # saved when stopped alone
    directory = tmp_path / "again"
    stopped = tuner.run(study(), directory, layout=LAYOUT, display=StopAfter(5))
    running = stopped.trials.filter(status="running")
    assert set(running["hp.activation"]) == {"relu", "tanh"}
    resumed = tuner.run(study(), directory)
    for ours, theirs in zip(tables(resumed), tables(whole), strict=True):
        assert ours.equals(theirs)
    same = ["trial", "best_step", "best_objective", "final_objective", "status"]
    assert resumed.trials.select(same).equals(whole.trials.select(same))
    for trial in (0, 1):
        ours, theirs = resumed.restore(trial), whole.restore(trial)
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_a_program_trains_the_same_beside_another(advanced, tmp_path):
    both = tuner.run(study(), tmp_path / "both", layout=LAYOUT)
    assert advanced[:5] == ["relu", "relu", "tanh", "relu", "tanh"]
    space = small.space(activation=tuner.Choice("tanh", role="scientific"))
    rounds = [tuner.Round(trials=6, max_train_steps=40)]
    declared = small.study(space=space, rounds=rounds)
    alone = tuner.run(declared, tmp_path / "alone", layout=LAYOUT)
    tanh = both.trials.filter(both.trials["hp.activation"] == "tanh")
    for ours, theirs in zip(tables(both), tables(alone), strict=True):
        mine = ours.join(tanh.select("trial", "sample"), on="trial").drop("trial")
        assert mine.drop("sample").equals(theirs.drop("trial"))
