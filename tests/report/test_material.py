import json

import pytest

from tuner.report.colours import SERIES
from tuner.report.material import gather


def combination(**values):
    return {"activation": None, "combination": json.dumps(values)}


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ({"activation": "relu"}, "relu"),
        ({"norm": True}, "True"),
        ({"optimizer": "sgd", "norm": None}, "optimizer=sgd, norm=None"),
        ({}, ""),
    ],
)
def test_a_combination_is_called_by_its_values(trial, make_run, values, label):
    material = gather(make_run([trial(0, **combination(**values))]))
    assert [series.label for series in material.series.values()] == [label]


def test_colours_go_by_the_order_of_trials_not_of_results(trial, make_run):
    trials = [trial(0, 0.9), trial(1, 0.1, activation="gelu")]
    series = gather(make_run(trials)).series.values()
    assert [(s.label, s.colour) for s in series] == [
        ("relu", SERIES[0]),
        ("gelu", SERIES[1]),
    ]


def test_the_fixed_are_not_among_the_searched(trial, make_run):
    material = gather(make_run([trial(0)]))
    assert list(material.searched) == ["activation", "learning_rate"]


def test_a_loss_that_is_the_objective_breaks_no_ties(trial, make_run):
    goal = {"metric": "valid/loss", "direction": "minimize"}
    assert gather(make_run([trial(0)], objective=goal)).loss is None


def test_a_familys_decay_is_read_off_its_rates(trial, make_run):
    # the last 20 of 100 steps, the first of them still at the peak
    (family,) = gather(make_run([trial(0)])).families
    assert family.trials["decay_step"].to_list() == [81]


def test_planned_trials_are_those_of_all_rounds(trial, make_run):
    rounds = [
        {"max_train_steps": 100, "trials": 4, "points": [{}], "keep": 0},
        {"max_train_steps": 200, "trials": 0, "points": [], "keep": 2},
    ]
    material = gather(make_run([trial(0), trial(1, None)], rounds=rounds))
    assert (material.num_ended, material.num_planned) == (2, 7)


def test_the_findings_are_those_of_the_run(trial, make_run):
    run = make_run([trial(n, None) for n in range(4)])
    (finding,) = run.findings()
    assert finding.id == "C3"
    assert gather(run).findings == [finding]
