"""What a run tells a display: every stage in order, and numbers that add up."""

import pytest
import small

import tuner
from tuner.rounds.display import Silent


class Recording(Silent):
    """Keeps what it is told."""

    def __init__(self):
        self.events, self.standings = [], []

    def compiling(self, standing, trials, layout):
        self.events.append(f"compiling for {trials} at {layout}")

    def compiled(self, group, seconds):
        self.events.append(f"compiled {group}")

    def advanced(self, standing):
        self.events.append("advanced")
        self.standings.append(standing())

    def ended(self, standing):
        self.events.append(f"ended {standing.round} of {standing.num_rounds}")
        self.standings.append(standing)

    def close(self):
        self.events.append("closed")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A study of one program in which a third of the trials diverge."""
    display = Recording()
    study, directory = small.diverging_study(), tmp_path_factory.mktemp("run")
    tuner.run(study, directory, layout="2x1x4", display=display)
    tuner.run(study, directory, display=display)
    return display


def test_a_run_tells_of_each_stage_in_order_and_of_a_complete_one_nothing(told):
    stages = [event for event in told.events if event != "advanced"]
    compilation = ["compiling for 18 at 2x1x4", "compiled all"]
    assert stages == [*compilation, "ended 1 of 1", "closed", "closed"]


def test_the_counts_add_up_to_the_trials_of_the_round(told):
    for at in told.standings:
        assert at.waiting + at.running + at.complete + at.diverged == 18


def test_a_round_ends_with_no_step_left_though_trials_diverged(told):
    last = told.standings[-1]
    assert last.diverged > 0
    assert last.steps == last.total_steps < 18 * 20


def test_a_trial_that_broke_is_never_the_best(told, tmp_path):
    last = told.standings[-1]
    assert last.best_trial is not None
    assert all(
        at.best_objective is None or at.best_objective >= last.best_objective
        for at in told.standings
    )
