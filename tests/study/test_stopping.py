"""Rules as values: what they say of curves, and what they refuse."""

import functools
import json
import re

import numpy as np
import pytest
import small
from hypothesis import given
from hypothesis import strategies as st

import tuner
from tuner.study.stopping import Metrics, describe
from tuner.study.study import describe as describe_study

NAN, INF = np.nan, np.inf
EVERY = 10  # steps between evaluations


def evaluations(objective, *, maximize=False):
    values = np.array(objective, np.float32)
    return tuner.Evaluations(
        step=np.arange(1, len(values) + 1) * EVERY,
        objective=values,
        metrics=Metrics({"valid/error": values}),
        max_train_steps=1000,
        maximize=maximize,
    )


def fires_at(rule, objective, **options):
    """The evaluations, from 1, on which a rule says to stop."""
    counts = range(1, len(objective) + 1)
    return [n for n in counts if rule(evaluations(objective[:n], **options))]


PATIENCE = [
    # objective                      patience  fires at
    ([0.9, 0.8, 0.8, 0.8, 0.8],      2,        [4, 5]),
    ([0.9, 0.8, 0.8, 0.7, 0.8],      2,        []),
    ([0.9, 0.8, 0.9, 0.7, 0.8, 0.8], 2,        [6]),
    ([0.9, 0.9],                     1,        [2]),
    ([NAN, NAN, NAN],                2,        [3]),   # no number is no improvement
    ([NAN, 0.9, NAN, NAN],           2,        [4]),
    ([0.9, 0.9, 0.8, 0.7],           3,        []),
]  # fmt: skip


@pytest.mark.parametrize(("objective", "patience", "fired"), PATIENCE)
def test_patience_ends_with_as_many_evaluations_that_are_no_better(
    objective, patience, fired
):
    rule = tuner.Prune(patience=patience)
    assert fires_at(rule, objective) == fired
    upside_down = [-value for value in objective]
    assert fires_at(rule, upside_down, maximize=True) == fired


TABLES = [
    # objective             worse_than          fires at
    ([0.9, 0.8, 0.7],       {20: 0.75},         [2]),
    ([0.9, 0.7, 0.9],       {20: 0.75},         []),        # the best so far counts
    ([0.9, 0.6, 0.6, 0.4],  {20: 0.7, 30: 0.5}, [3]),       # the latest limit does
    ([0.9, 0.9, 0.9],       {15: 0.5},          [2, 3]),    # a step between two
    ([0.9, 0.75, 0.75],     {20: 0.75},         []),        # as good is good enough
    ([0.1, 0.1],            {10: 0.1},          []),        # also in 32 bits
    ([NAN, NAN],            {20: 0.75},         [2]),
    ([0.9, 0.9],            {30: 0.1},          []),
]  # fmt: skip


@pytest.mark.parametrize(("objective", "table", "fired"), TABLES)
def test_a_table_stops_what_is_worse_from_its_step_on(objective, table, fired):
    assert fires_at(tuner.Prune(worse_than=table), objective) == fired
    table = {step: -limit for step, limit in table.items()}
    upside_down = [-value for value in objective]
    assert fires_at(tuner.Prune(worse_than=table), upside_down, maximize=True) == fired


def test_either_part_of_a_prune_stops_a_trial():
    rule = tuner.Prune(worse_than={20: 0.5}, patience=2)
    assert fires_at(rule, [0.9, 0.8]) == [2]
    assert fires_at(rule, [0.4, 0.4, 0.4]) == [3]


TARGETS = [
    # objective  reached by                not by
    (0.02,       (0.02, 0.019, -1.0),      (0.021, NAN, INF, None)),
    (0.1,        (np.float32(0.1).item(),), (0.1001,)),
]  # fmt: skip


@pytest.mark.parametrize(("objective", "good", "bad"), TARGETS)
def test_a_target_is_reached_by_what_is_as_good(objective, good, bad):
    target = tuner.Target(objective)
    assert all(target.is_reached(value) for value in good)
    assert not any(target.is_reached(value) for value in bad)


def test_a_target_that_is_maximized_is_reached_from_below():
    target = tuner.Target(0.9)
    reached = [target.is_reached(v, maximize=True) for v in (0.89, 0.9, 1.0, NAN)]
    assert reached == [False, True, True, False]


@given(st.lists(st.floats(width=32), min_size=1), st.booleans())
def test_the_best_so_far_is_one_recorded_and_never_gets_worse(objective, maximize):
    seen = evaluations(objective, maximize=maximize)
    sign = -1 if maximize else 1
    numbers = sign * seen.best[~np.isnan(seen.best)]
    assert (numbers[1:] <= numbers[:-1]).all()
    assert np.isin(sign * numbers, seen.objective).all()


def test_a_metric_that_is_not_there_is_told_of_those_that_are():
    seen = evaluations([0.5])
    rule = "unknown metric 'valid/eror': did you mean 'valid/error'? Known: "
    with pytest.raises(KeyError, match=re.escape(rule)):
        seen.metrics["valid/eror"]


# In a study


def steep(evaluations):
    return False


def test_rules_are_described_by_name_and_numbers():
    rules = (steep, tuner.Prune(worse_than={20: 0.5}, patience=3), tuner.Target(0.1))
    described = describe_study(small.study(stop=rules))["stop"]
    assert json.loads(json.dumps(described)) == [
        {"function": "steep"},
        {"type": "Prune", "worse_than": {"20": 0.5}, "patience": 3},
        {"target": 0.1},
    ]


def test_a_rule_may_be_given_alone():
    assert small.study(stop=steep).rules == (steep,)
    assert small.study(stop=tuner.Target(1)).rules == (tuner.Target(1.0),)
    assert small.study().rules == ()


def test_a_callable_without_a_name_is_described_by_its_type():
    assert describe(functools.partial(steep)) == {"function": "partial"}


@pytest.mark.parametrize("stop", ["steep", [steep, None], [0.02], tuner.Prune])
def test_what_is_no_rule_is_refused(stop):
    with pytest.raises(TypeError, match=r"stop= takes rules: a tuner.Target, a tuner"):
        small.study(stop=stop)


def test_two_targets_are_refused():
    rule = "a study has one target at most, but got Target(objective=0.1), Target("
    with pytest.raises(ValueError, match=re.escape(rule)):
        small.study(stop=[tuner.Target(0.1), tuner.Target(0.2)])


REFUSED = [
    (ValueError, {}, "a Prune needs worse_than= or patience=, but has neither: Prune("),
    (ValueError, {"patience": 0}, "`patience >= 1` must hold, but got 0"),
    (TypeError, {"patience": True}, "`patience` must be a whole number, but got True"),
    (
        ValueError,
        {"worse_than": {0: 0.5}},
        "`a step of worse_than >= 1` must hold, but got 0",
    ),
    (
        ValueError,
        {"worse_than": {10: NAN}},
        "`worse_than` must be finite, but got nan",
    ),
]


@pytest.mark.parametrize(("error", "fields", "rule"), REFUSED)
def test_a_prune_that_cannot_be_is_refused(error, fields, rule):
    with pytest.raises(error, match=re.escape(rule)):
        tuner.Prune(**fields)


def test_a_target_is_a_finite_number():
    with pytest.raises(ValueError, match="`objective` must be finite, but got inf"):
        tuner.Target(INF)
