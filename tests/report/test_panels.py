import json

import pytest

from tuner.report.axes import Axis
from tuner.report.material import gather
from tuner.report.panels import panel_points, panels

RATE = {"type": "float", "low": 1e-4, "high": 0.1, "log": True}
EVEN = Axis(0.0, 1.0)


@pytest.fixture
def points(trial, make_run):
    """Rows `x`, `y`, `kind` of the learning rates of some trials."""

    def place(trials, axis=EVEN, maximize=False, domain=RATE):
        frame = gather(make_run(trials)).trials
        placed = panel_points(frame, "learning_rate", domain, axis, maximize)
        return placed.select("x", "y", "kind").rows()

    return place


def test_a_trial_lies_at_its_value_and_objective(trial, points):
    assert points([trial(0, 0.25, rate=0.02)]) == [(0.02, 0.25, "begun")]


def test_a_promoted_trial_is_told_from_a_new_one(trial, points):
    child = trial(1, 0.2, parent=0, start_step=80, round=2)
    assert [kind for *_, kind in points([trial(0, 0.3), child])] == [
        "begun",
        "promoted",
    ]


def test_a_broken_trial_lies_at_the_top_edge(trial, points):
    ((x, y, kind),) = points([trial(0, None, rate=0.05)])
    assert (x, kind) == (0.05, "broken")
    assert 0.95 < y < 1.0


def test_a_trial_worse_than_the_axis_reaches_lies_there_too(trial, points):
    ((_, y, kind),) = points([trial(0, 7.0)])
    assert kind == "worse"
    assert 0.95 < y < 1.0


def test_of_a_maximized_objective_the_worst_edge_is_the_bottom(trial, points):
    ((_, y, _),) = points([trial(0, None)], maximize=True)
    assert 0.0 < y < 0.05


def test_a_trial_without_a_result_has_no_place(trial, points):
    assert points([trial(0, None, status="running")]) == []


def test_a_zero_has_no_place_on_a_logarithmic_scale(trial, make_run):
    material = gather(make_run([trial(0, 0.1), trial(1, 0.2, rate=0.0)]))
    rates = panels(material)[1]
    assert rates.title == "learning_rate"
    assert rates.note == "Left out: 1 trial with no place on this scale."


def test_a_choice_spreads_its_trials_around_its_place(trial, make_run, space):
    trials = [trial(n, 0.1, activation=["relu", "gelu"][n % 2]) for n in range(8)]
    frame = gather(make_run(trials)).trials
    placed = panel_points(frame, "activation", space["activation"], EVEN, False)
    assert placed["x"].round().to_list() == [0, 1] * 4
    assert placed["x"].n_unique() == 8


def test_there_is_a_panel_for_each_searched_hyperparameter(trial, make_run):
    titles = [panel.title for panel in panels(gather(make_run([trial(0)])))]
    assert titles == ["activation", "learning_rate"]  # and none for the fixed b2


def test_a_logarithmic_range_has_a_logarithmic_axis(trial, make_run):
    figure = panels(gather(make_run([trial(0)])))[1].figure
    assert figure.layout.xaxis.type == "log"
    low, high = figure.layout.xaxis.range
    assert low < -4 < -1 < high


def conditional(optimizer, **values):
    inner = {f"optimizer.{optimizer}.{name}": v for name, v in values.items()}
    return {
        "activation": None,
        "combination": json.dumps({"optimizer": optimizer}),
        "hyperparams": {"optimizer": optimizer, **inner},
    }


def test_a_conditional_hyperparameter_shows_the_trials_that_have_it(
    trial, make_run, space
):
    names = {"type": "choice", "values": ["adam", "sgd"], "role": "scientific"}
    inner = {"type": "choice", "values": ["a", None], "role": "nuisance"}
    rest = {"kind": None, "off": None, "hard": None, "static": True}
    domains = {"optimizer": names | rest, "optimizer.adam.decay": inner | rest}
    trials = [
        trial(0, 0.1, **conditional("adam", decay="a")),
        trial(1, 0.2, **conditional("adam", decay=None)),
        trial(2, 0.3, **conditional("sgd")),
    ]
    _, panel = panels(gather(make_run(trials, domains=domains)))
    drawn = [n for trace in panel.figure.data if trace.text for n in trace.text]
    assert [text.split(",")[0] for text in drawn] == ["trial 0", "trial 1"]
    assert panel.note == "Only where optimizer = adam."


def test_the_best_trial_has_a_ring(trial, make_run):
    material = gather(make_run([trial(0, 0.2, rate=0.01), trial(1, 0.1, rate=0.03)]))
    ring = panels(material)[1].figure.data[-1]
    assert ring.marker.symbol == "circle-open"
    assert (ring.x.tolist(), ring.y.tolist()) == ([0.03], [0.1])


def test_names_are_text_to_a_figure(trial, make_run, space):
    name = '<a href="https://example.org">$x$</a>'
    domains = space | {"activation": space["activation"] | {"values": [name]}}
    material = gather(make_run([trial(0, activation=name)], domains=domains))
    figure = panels(material)[0].figure
    assert "<a" not in figure.to_json().replace("\\u003c", "<")
    assert figure.layout.xaxis.ticktext[0].startswith("&lt;a href=")
