"""Figures: what engines have counted, added up over sessions."""

from types import SimpleNamespace

import numpy as np
import pytest

from tuner.lanes.costs import Costs
from tuner.lanes.engine import Engine
from tuner.lanes.flight import Called
from tuner.lanes.layout import Layout
from tuner.rounds import accounts
from tuner.rounds.accounts import Accounts, rates


class Trained(Engine):
    """One that has trained: 4 calls of 4 lanes, of which 2 are computed each time."""

    def __init__(self, lane_calls=6, sent=100, starved=0.0):
        self.program = SimpleNamespace(
            compile_seconds=2.0,
            traces={"advance": 1},
            bytes_sent=sent,
            bytes_fetched=10,
            costs=Costs(tick=1000.0, update=50.0, evaluation=400.0),
        )
        self.feed = SimpleNamespace(starved_seconds=starved) if starved else None
        self.layout = Layout(1, 2, 2)
        self.calls, self.lane_calls, self.slot_calls = 4, lane_calls, 8


def call():
    """Two trials of 32 examples a step: one makes 5 steps, one 3 and then breaks."""
    good = np.array([5, 3])
    return Called(
        trials=np.arange(2, dtype=np.int32),
        base=np.zeros(2, np.int64),
        steps=np.array([5, 5]),
        good=good,
        due=np.array([True, False]),
        step=np.tile(np.arange(1, 6, dtype=np.int32), (2, 1)),
        kept=np.arange(5) < good[:, None],
        rates={},
        train={},
        valid={},
        best_objective=np.zeros(2),
        best_step=np.zeros(2, np.int32),
        copied=(),
        ended=(),
    )


CALL_FLOPS = 10 * 1000.0 + 10 * 50.0 + 400.0  # ticks, updates, an evaluation


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that tests set, and devices that make 1 MFLOP a second at most."""
    clock = SimpleNamespace(now=50.0)
    monkeypatch.setattr(accounts.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(accounts, "peak_flops_per_second", lambda: 1e6)
    return clock


def session(clock, before, **engines):
    """Two seconds of compiling, then four calls of each program in a second each."""
    ours = Accounts(before)
    clock.now += 2
    for name, engine in engines.items():
        ours.watch(name, engine)
    for _ in range(4):
        clock.now += 1
        for engine in engines.values():
            ours.add(engine, call(), np.array([32, 32]))
    return ours.figures()


def test_a_session_is_the_sum_of_its_programs(clock):
    figures = session(clock, {}, relu=Trained(), tanh=Trained(lane_calls=4, sent=50))
    expected = {
        "sessions": 1,
        "seconds": 6.0,
        "train_seconds": 4.0,
        "trial_steps": 2 * 4 * 8,
        "examples": 2 * 4 * 8 * 32,
        "programs": 2,
        "compilations": 0,
        "compile_seconds": 4.0,
        "trainings_traced": 2,
        "lane_calls": 10,
        "lane_calls_computed": 16,
        "lane_calls_possible": 32,
        "bytes_to_devices": 150,
        "bytes_to_host": 20,
        "flops": 2 * 4 * CALL_FLOPS,
        "peak_flops": 4e6,
    }
    assert {name: figures[name] for name in expected} == expected


def test_each_program_has_its_own(clock):
    engines = {"relu": Trained(), "tanh": Trained(lane_calls=4)}
    groups = session(clock, {}, **engines)["groups"]
    assert {name: g["lane_calls"] for name, g in groups.items()} == {
        "relu": 6,
        "tanh": 4,
    }
    assert groups["relu"]["flops"] == 4 * CALL_FLOPS
    assert groups["relu"]["flops_per_tick"] == 1000.0
    assert groups["relu"]["flops_per_evaluation"] == 400.0


def test_rates_are_of_training_alone(clock):
    figures = session(clock, {}, all=Trained(starved=1.0))
    assert figures["trial_steps_per_second"] == 8.0
    assert figures["share_waiting"] == 1 / 4
    assert figures["examples_per_second"] == 256.0
    assert figures["occupancy"] == 6 / 8
    assert figures["lanes_in_use"] == 6 / 16
    assert figures["flops_per_trial_step"] == CALL_FLOPS / 8
    assert figures["share_of_peak"] == CALL_FLOPS / 1e6


def test_sessions_add_up(clock):
    first = session(clock, {}, relu=Trained(), tanh=Trained())
    both = session(clock, first, relu=Trained(lane_calls=2))
    assert both["sessions"] == 2
    assert both["seconds"] == 12.0
    assert both["lane_calls"] == 14
    assert both["trial_steps_per_second"] == 12.0
    assert both["occupancy"] == 14 / 24
    assert both["groups"]["relu"]["lane_calls"] == 8
    assert both["groups"]["relu"]["flops_per_tick"] == 1000.0
    assert both["groups"]["tanh"] == first["groups"]["tanh"]


def test_a_program_that_trains_again_is_not_new(clock):
    ours, engine = Accounts({}), Trained()
    assert [ours.watch("all", engine), ours.watch("all", engine)] == [True, False]
    assert ours.figures()["programs"] == 1


def test_a_session_that_trains_nothing_adds_nothing_but_itself(clock):
    first = session(clock, {}, all=Trained())
    again = Accounts(first).figures()
    assert again.pop("sessions") == 2
    first.pop("sessions")
    assert again == first


def test_figures_of_an_older_version_are_no_obstacle(clock):
    figures = session(clock, {"sessions": 3, "trial_steps": 60}, all=Trained())
    assert (figures["sessions"], figures["trial_steps"]) == (4, 60 + 4 * 8)


def test_where_nothing_was_done_rates_are_0():
    assert set(rates(Accounts({}).figures()).values()) == {0.0}


def test_the_present_speed_forgets_the_past(clock):
    ours, engine = Accounts({}), Trained()
    ours.watch("all", engine)
    for seconds in [10, *[1] * accounts.RECENT]:
        clock.now += seconds
        ours.add(engine, call(), np.array([32, 32]))
    assert ours.trial_steps_per_second == 8.0
