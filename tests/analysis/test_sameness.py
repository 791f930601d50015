"""What a run's record of changes says to its reader."""

import pytest

from tuner.analysis.sameness import sameness_findings

STOOD = {"commit": 3, "ended": "0-3, 7", "steps": {"4": 40, "5": 45}}
ACCEPTED = {
    "kind": "accepted",
    "date": "2026-11-24T13:16:52+00:00",
    "functions": ["loss", "evaluate"],
    **STOOD,
}
FORKED = {**ACCEPTED, "kind": "forked", "from": "runs/digits", "functions": ["loss"]}
ELSEWHERE = {
    "kind": "elsewhere",
    "date": "2026-11-24T13:16:52+00:00",
    "differences": {"instruction set": ["avx2", "avx512f"]},
    **STOOD,
}
SAID = "Trials 0-3, 7 had ended; unfinished were 4 at 40 and 5 at 45 (trial at step)."


def only(**definition):
    (finding,) = sameness_findings(definition)
    return finding


TEXTS = [
    (
        ACCEPTED,
        "loss and evaluate",
        f"On 2026-11-24 13:16 the run went on with another loss and evaluate. {SAID}",
    ),
    (
        FORKED,
        "loss",
        "This run is a copy of runs/digits, which went on here on 2026-11-24 13:16, "
        f"with another loss. {SAID}",
    ),
    (
        {**FORKED, "functions": []},
        "directory",
        "This run is a copy of runs/digits, which went on here on 2026-11-24 13:16. "
        f"{SAID}",
    ),
    (
        ELSEWHERE,
        "rounding",
        "On 2026-11-24 13:16 the run went on under instruction set avx512f (was avx2): "
        f"it equals an uninterrupted one to rounding only. {SAID}",
    ),
    (
        {**ELSEWHERE, "differences": {"jax": ["0.10.2", "0.12.0"]}},
        "rounding",
        "On 2026-11-24 13:16 the run went on under jax 0.12.0 (was 0.10.2): it equals "
        f"an uninterrupted one to rounding only. {SAID} Whether its functions stayed "
        "the same cannot be told.",
    ),
]


@pytest.mark.parametrize(("change", "subject", "text"), TEXTS)
def test_a_change_is_told_with_where_its_trials_stood(change, subject, text):
    finding = only(changes=[change])
    assert (finding.id, finding.subject, finding.text) == ("same", subject, text)


def test_many_unfinished_trials_are_counted():
    steps = {str(trial): 10 for trial in range(9)}
    finding = only(changes=[{**ACCEPTED, "ended": "", "steps": steps}])
    assert finding.text.endswith(
        "No trial had ended; unfinished were 0 at 10, 1 at 10, 2 at 10 and 6 more "
        "(trial at step)."
    )


@pytest.mark.parametrize(
    ("layout", "now", "number"),
    [("2x8x4", "2x4x4", 0), ("2x1x4", "2x1x2", 1), ("1x1x4x2", "1x1x2x2", 1)],
)
def test_memory_that_ran_out_is_told_where_it_changed_bits(layout, now, number):
    event = {"program": "all", "layout": layout, "now": now}
    found = [*sameness_findings({"out_of_memory": [event]})]
    assert len(found) == number
    assert all(f"went on in {now}" in finding.text for finding in found)


def test_nothing_is_said_of_a_run_that_is_one_experiment():
    assert [*sameness_findings({"study": {}})] == []
