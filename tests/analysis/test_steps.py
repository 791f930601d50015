import numpy as np
import polars as pl
import pytest

from tuner.analysis.extended import LINTS
from tuner.analysis.findings import findings
from tuner.analysis.steps import step_findings, steps_known

STEPS = 1000
RATE = {"type": "float", "low": 1e-3, "high": 1.0, "log": True, "hard": None}
SHAPE = {"type": "float", "kind": "schedule", "hard": None, "log": False}


def study(**space):
    return {
        "objective": {"metric": "valid/loss", "direction": "minimize"},
        "space": space,
        "rounds": [{"max_train_steps": STEPS}],
        "eval_every": 25,
        "task": {"training_examples": 100},
    }


def frames(best_steps, *, decays=False, curve=None):
    """Trials by best step, the best first, all with the same curve."""
    number, steps = len(best_steps), np.arange(25, STEPS + 1, 25)
    trials = pl.DataFrame(
        {
            "trial": pl.Series(range(number), dtype=pl.Int32),
            "parent": pl.Series([None] * number, dtype=pl.Int32),
            "sample": range(number),
            "status": ["complete"] * number,
            "round": [1] * number,
            "start_step": [0] * number,
            "max_train_steps": [STEPS] * number,
            "best_step": best_steps,
            "best_objective": [0.1 + 1e-3 * n for n in range(number)],
            "tie": pl.Series([None] * number, dtype=pl.Float64),
            "schedule.decay_steps": [300 if decays else 0] * number,
        }
    )
    noise = 1e-3 * np.random.default_rng(0).normal(size=(number, len(steps)))
    values = (np.ones(len(steps)) if curve is None else curve(steps)) + noise
    rate = np.minimum(1, (STEPS - steps) / 300) if decays else np.ones(len(steps))
    columns = {
        "trial": np.repeat(np.arange(number, dtype=np.int32), len(steps)),
        "step": np.tile(steps, number),
    }
    evaluations = pl.DataFrame(columns | {"valid/loss": values.ravel()})
    rates = {"learning_rate": np.tile(rate, number), "train/loss": values.ravel()}
    return trials, evaluations, pl.DataFrame(columns | rates)


def found(trials, evaluations, updates, **space):
    """All findings of the run by their ids."""
    definition = {"study": study(**space)}
    return {
        finding.id: finding
        for finding in findings(trials, definition, evaluations, updates)
    }


def test_a_flat_noisy_study_has_no_findings():
    assert found(*frames([300] * 12)) == {}


def test_d4_best_steps_in_the_first_tenth_are_a_finding_with_the_step_that_would_do():
    finding = found(*frames([25, 50, 75, 100] * 3))["D4"]
    assert (finding.subject, finding.text) == (
        "max_train_steps",
        "12 of 12 trials of 1,000 steps were best in the first tenth of their run: far "
        "too many steps.",
    )
    assert finding.remedy.startswith("Train for fewer. By step 100 nine of ten")


def test_d12_with_the_advice_to_shorten_comes_the_warning_not_to_be_stingy():
    finding = found(*frames([25, 50, 75, 100] * 3))["D4"]
    assert "too few need a perfectly tuned decay (D12)" in finding.remedy


def test_d4_best_steps_in_the_last_quarter_are_a_finding_at_a_constant_rate():
    finding = found(*frames([900] * 12))["D4"]
    assert finding.text == (
        "6 of the better 6 trials of 1,000 steps were best in the last quarter of "
        "their run."
    )
    assert finding.remedy.endswith("When in doubt, longer.")


def test_d4_under_a_rate_that_decays_they_are_none():
    assert found(*frames([900] * 12, decays=True)) == {}


def falls(steps):
    return steps**-0.2


def test_c9_unless_the_curves_still_fall_at_a_high_rate():
    late = frames([900] * 12, decays=True, curve=falls)
    assert list(found(*late)) == ["C9", "D4", "D12"]
    assert found(*late)["C9"].subject == "compute-bound"


def test_d12_a_tight_budget_wants_its_decay_searched():
    late = frames([900] * 12, decays=True, curve=falls)
    finding = found(*late)["D12"]
    assert finding.text.startswith("1,000 steps are a tight budget")
    assert list(found(*late, decay_fraction=SHAPE)) == ["C9", "D4"]


def test_d4_with_the_best_rate_on_the_edge_neither_rule_speaks():
    trials, *curves = frames([900] * 12, curve=falls)
    rates = pl.Series("hp.learning_rate", np.linspace(1.0, 0.4, 12))
    edged = found(trials.with_columns(rates), *curves, learning_rate=RATE)
    assert list(edged) == ["C1"]


def test_c10_saturated_curves_are_a_finding():
    def saturates(steps):
        return 0.1 + np.exp(-steps / 40)

    finding = found(*frames([300] * 12, curve=saturates))["C10"]
    assert finding.subject == "not compute-bound"
    assert finding.remedy.startswith("Longer training is unlikely to help")


def test_d1_less_than_an_epoch_is_a_finding():
    trials, evaluations, updates = frames([300] * 12)
    seen = evaluations.with_columns(examples=pl.lit(99))
    finding = found(trials, seen, updates)["D1"]
    assert finding.text == (
        "1,000 steps see 0.99 epochs of 100 examples: compute-bound by construction."
    )


@pytest.mark.parametrize(
    ("lint", "id_", "remedy"),
    [
        ("seam", "D9", "has to repeat its parent's rates"),
        ("low rates", "D10", "extend=tuner.LengthenConstant()"),
        ("short decay", "D9", "tuner.LengthenConstant(decay_steps=100)"),
        ("weight decay", "D8", "search the weight decay again"),
    ],
)
def test_d9_d10_doubtful_extensions_are_findings_once_a_round(lint, id_, remedy):
    trials, evaluations, updates = frames([300] * 12)
    children = trials.with_columns(parent=pl.col("trial"), round=2)
    known = steps_known(trials, study(), evaluations, updates)
    rows = [(lint, trial, 2, f"text of {trial}") for trial in (3, 4)]
    lints = pl.DataFrame(rows, schema=LINTS, orient="row")
    (finding,) = step_findings(
        type(known)(known.shares, [], known.verdict, lints), children, study()
    )
    assert (finding.id, finding.subject) == (id_, "round 2")
    assert finding.text == "2 of 12 promoted trials, 3 for one: text of 3."
    assert remedy in finding.remedy
