"""What a run is told where the steps to fit its training set are known."""

import pytest

from tuner.analysis.fit_findings import fit_findings

STUDY = {
    "rounds": [
        {"keep": 0, "max_train_steps": 500},
        {"keep": 8, "max_train_steps": 2000},
    ]
}
ANSWER = {"fits": True, "steps": 304, "searched_steps": 400}


def test_d6_a_longer_round_than_it_takes_is_told_to_be_in_vain():
    (finding,) = fit_findings(ANSWER, STUDY)
    assert (finding.id, finding.subject) == ("D6", "round 2")
    assert "fitted perfectly in 304 steps" in finding.text
    assert "the round's 2,000 steps are unlikely to help" in finding.text


def test_d6_without_an_answer_the_steps_of_the_search_are_enough():
    (finding,) = fit_findings(ANSWER | {"steps": None}, STUDY)
    assert "fitted perfectly in 400 steps" in finding.text


@pytest.mark.parametrize(
    "verdict", [None, ANSWER | {"fits": False}, ANSWER | {"steps": 2000}]
)
def test_d6_where_it_is_not_known_or_longer_nothing_is_said(verdict):
    assert list(fit_findings(verdict, STUDY)) == []
