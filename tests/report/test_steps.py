import numpy as np
import pytest

from tuner.analysis import advise, compute_bound
from tuner.report.material import gather
from tuner.report.page import write_report
from tuner.report.steps import said_of_steps, steps_drawn


@pytest.fixture
def two_rounds(trial):
    """Twelve trials of 100 steps, of which the first four go on to 200."""
    child = {"round": 2, "start_step": 75, "step": 200, "max_train_steps": 200}
    first = [trial(n, 0.3, best_step=100 - 5 * n, rate=0.01 + n) for n in range(12)]
    again = [
        trial(12 + n, 0.2, parent=n, sample=n, best_step=200, rate=0.01 + n, **child)
        for n in range(4)
    ]
    return first + again


def drawings(run):
    return {drawing.name: drawing for drawing in steps_drawn(gather(run))}


def test_d4_every_horizon_has_a_histogram_of_its_best_steps(two_rounds, make_run):
    drawn = drawings(make_run(two_rounds))
    assert drawn["best-steps-100"].title == "Best steps of 12 trials of 100 steps"
    (short,) = drawn["best-steps-100"].figure.data
    (long,) = drawn["best-steps-200"].figure.data
    # one trial in each of the last twelve twentieths; four in the last
    assert list(short.y) == [0] * 8 + [1] * 12
    assert list(long.y) == [0] * 19 + [4]
    np.testing.assert_allclose(short.x[:2], [0.025, 0.075])


def test_d4_what_the_histogram_says_stands_below_it(two_rounds, make_run):
    drawn = drawings(make_run(two_rounds))
    assert drawn["best-steps-200"].note == (
        "No advice from these: 4 complete trials are fewer than 10."
    )


def test_c9_the_evidence_is_drawn_beside_a_tenth_of_the_pace(two_rounds, make_run):
    run = make_run(two_rounds)
    drawn = drawings(run)["gains"].figure
    assert drawn.layout.shapes[0].x0 == 0.1
    material = gather(run)
    gains = material.steps.verdict.gains.filter(kind="two horizons")
    np.testing.assert_allclose(
        drawn.data[0].x, (gains["gain"] / gains["pace"].mean()).to_numpy()
    )


def test_without_enough_evidence_there_is_no_figure_of_it(two_rounds, make_run):
    assert "gains" not in drawings(make_run(two_rounds[:7]))


def test_c9_what_cannot_be_told_comes_with_the_command_that_would(two_rounds, make_run):
    run = make_run(two_rounds[:7])
    text = "".join(said_of_steps(gather(run)))
    assert "Whether compute is the limit, this run cannot tell." in text
    assert (
        f"tuner promote {run.directory} --keep 7 --steps 400 --extend constant"
    ) in text


def test_the_page_and_the_analysis_say_the_same(two_rounds, make_run):
    run = make_run(two_rounds)
    material = gather(run)
    curves = material.evaluations, material.all_updates
    verdict = compute_bound(material.trials, *curves, objective="valid/error")
    assert verdict.says == material.steps.verdict.says
    advice = advise(material.trials, *curves)
    assert advice == material.steps.advice
    assert f"At two horizons: {verdict.evidence[0].says}." in (
        write_report(run).read_text()
    )


def test_before_any_trial_is_complete_nothing_is_said_of_steps(trial, make_run):
    running = [trial(n, 0.3, status="running") for n in range(3)]
    assert "How long to train" not in write_report(make_run(running)).read_text()
