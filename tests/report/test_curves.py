import numpy as np
import pytest

from tuner.report.curves import MAX_ROWS, curves, schedules
from tuner.report.material import gather


@pytest.fixture
def promoted(trial):
    """Two trials of 100 steps, and a child of each, resumed at step 75."""
    child = {
        "round": 2,
        "start_step": 75,
        "step": 300,
        "max_train_steps": 300,
        "resume": "exact",
    }
    return [
        trial(0, 0.3),
        trial(1, 0.2, activation="gelu"),
        trial(2, 0.1, parent=0, best_step=200, **child),
        trial(3, 0.15, parent=1, activation="gelu", best_step=250, **child),
    ]


def lines(drawing):
    """First and last step of each line, faint ones named."""
    return [
        (int(trace.x[0]), int(trace.x[-1]), "faint" if trace.opacity else "full")
        for trace in drawing.figure.data
        if trace.mode == "lines"
    ]


def dots(drawing, filled):
    """Where the markers are, filled or not."""
    return [
        (int(trace.x[0]), pytest.approx(float(trace.y[0])))
        for trace in drawing.figure.data
        if trace.mode == "markers"
        and (trace.marker.color == trace.marker.line.color) == filled
    ]


def test_the_objective_the_loss_and_the_loss_in_training_are_drawn(trial, make_run):
    titles = [drawing.title for drawing in curves(gather(make_run([trial(0)])))]
    assert titles == ["valid/error", "valid/loss", "train/loss"]


def test_an_objective_that_is_the_loss_is_drawn_once(trial, make_run):
    goal = {"metric": "valid/loss", "direction": "minimize"}
    material = gather(make_run([trial(0)], objective=goal))
    assert [d.title for d in curves(material)] == ["valid/loss", "train/loss"]


def test_a_family_forks_where_its_child_resumed(promoted, make_run):
    error = curves(gather(make_run(promoted)))[0]
    # the rate of 100 steps decays from step 81 on, that of 300 from step 281 on
    assert lines(error)[:4] == [
        (5, 80, "full"),
        (5, 100, "faint"),
        (75, 280, "full"),
        (75, 300, "faint"),
    ]


def test_a_ring_marks_the_fork_and_a_dot_the_best_step(promoted, make_run):
    error = curves(gather(make_run(promoted)))[0]
    # at step 75 the parents' errors are 0.3 + 5/1000 and 0.2 + 5/1000
    assert dots(error, filled=False) == [(75, 0.305), (75, 0.205)]
    assert dots(error, filled=True) == [(80, 0.3), (200, 0.1), (80, 0.2), (250, 0.15)]


def test_each_family_is_labelled_in_its_colour(promoted, make_run):
    material = gather(make_run(promoted))
    labels = curves(material)[0].figure.layout.annotations
    colours = [series.colour for series in material.series.values()]
    assert [(a.text, a.font.color) for a in labels] == [
        ("relu", colours[0]),
        ("gelu", colours[1]),
    ]


def test_the_best_family_of_each_combination_is_drawn(trial, make_run):
    trials = [
        trial(n, 0.9 - n / 10, activation=["relu", "gelu"][n % 2]) for n in range(8)
    ]
    families = gather(make_run(trials)).families
    assert [family.trials["trial"].to_list() for family in families] == [[7], [6]]


def test_of_a_single_combination_the_best_five_are_drawn(trial, make_run):
    trials = [trial(n, 0.9 - n / 10) for n in range(8)]
    families = gather(make_run(trials)).families
    assert [family.series.label for family in families] == [
        f"trial {n}" for n in (7, 6, 5, 4, 3)
    ]
    assert len({family.series.colour for family in families}) == 5


def test_training_loss_is_shown_by_its_means(trial, make_run):
    loss = curves(gather(make_run([trial(0)])))[2]
    assert loss.note == "Each point is a mean over 5 steps."
    assert loss.figure.data[0].y[0] == pytest.approx(np.mean(1 / np.arange(1, 6)))


def test_what_is_left_out_of_a_long_curve_is_said(trial, make_run):
    long = {"step": 5000, "max_train_steps": 5000, "best_step": 4000}
    error = curves(gather(make_run([trial(0, **long)])))[0]
    assert (
        error.note == "At most 400 points a trial are drawn, its extremes among them."
    )
    assert max(len(trace.x) for trace in error.figure.data) <= MAX_ROWS


def test_without_results_nothing_is_drawn(trial, make_run):
    assert curves(gather(make_run([trial(0, None)]))) == []


def test_a_trial_that_broke_is_none_of_the_best(trial, make_run):
    material = gather(make_run([trial(0, None), trial(1, 0.5)]))
    assert [family.trials["trial"].to_list() for family in material.families] == [[1]]


def test_schedules_are_drawn_of_the_promoted_with_their_seams(promoted, make_run):
    first, second = schedules(gather(make_run(promoted)))
    assert (first.title, second.title) == ("relu", "gelu")
    assert [shape.x0 for shape in first.figure.layout.shapes] == [75]
    texts = [annotation.text for annotation in first.figure.layout.annotations]
    assert texts == ["0", "2", "2 resumes at 75"]


def test_a_schedule_has_the_rates_that_were_recorded(promoted, make_run):
    parent = schedules(gather(make_run(promoted)))[0].figure.data[1]
    # ten steps of warm-up from 0 to 0.01, then constant; the last step is at 1/20
    rates = dict(zip(parent.x.tolist(), parent.y.tolist(), strict=True))
    assert rates[1] == 0.0
    assert rates[11] == pytest.approx(0.01)
    assert rates[100] == pytest.approx(0.01 / 20)


def test_without_promoted_trials_there_are_no_schedules(trial, make_run):
    assert schedules(gather(make_run([trial(0)]))) == []


def test_children_that_resumed_or_ended_together_share_a_label(trial, make_run):
    child = {"round": 2, "step": 300, "max_train_steps": 300, "resume": "exact"}
    trials = [
        trial(0, 0.3),
        *[trial(n, 0.1, parent=0, start_step=75, **child) for n in (1, 2)],
        trial(3, 0.1, parent=0, start_step=50, **child),
    ]
    (drawing,) = schedules(gather(make_run(trials)))
    texts = [annotation.text for annotation in drawing.figure.layout.annotations]
    assert texts == ["0", "1\N{EN DASH}3", "3 at 50", "1\N{EN DASH}2 at 75"]
