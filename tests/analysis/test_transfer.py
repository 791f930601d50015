import numpy as np
import polars as pl
import pytest
from simulated import SPACE, definition, falling, two_rounds

from tuner.analysis.expectations import expectation
from tuner.analysis.telling import recheck, shift_verdict, transfer_verdict
from tuner.analysis.transfer import as_space, transfers
from tuner.analysis.transfer_findings import transfer_findings


def between(trials, **options):
    (found,) = transfers(trials, SPACE, **options)
    return found


def steep(rate, steps):
    """The lower rate is better, at both horizons."""
    return np.log10(rate)


def turning(rate, steps):
    """The lower rate is better in short runs, the higher in long ones."""
    return np.log10(rate) if steps == 500 else -np.log10(rate)


@pytest.mark.parametrize(
    "options",
    [{"keep": 8}, {"keep": 16}, {"keep": 8, "control": 8}],
    ids=["8 promoted", "16 promoted", "8 and 8 control"],
)
def test_d8_of_200_null_studies_fewer_than_3_percent_get_a_firm_claim(options):
    firm = [between(two_rounds(seed, **options)).is_firm for seed in range(200)]
    assert sum(firm) < 6


def test_d8_without_control_trials_no_regret_is_given():
    found = between(two_rounds(0, truth=steep, noise=0.01))
    assert (found.among, found.regret) == ("promoted", None)
    said = transfer_verdict(found)
    assert "only among the 16 promoted" in said
    assert "What was lost by keeping only the best is not known" in said


def test_d8_with_control_trials_the_regret_is_given():
    found = between(two_rounds(0, truth=steep, noise=0.01, control=8))
    assert found.among == "controlled"
    assert found.agreement.verdict == "kept"
    said = transfer_verdict(found)
    assert said.startswith(
        "Runs of 500 and of 2,000 steps order configurations alike: Kendall's tau "
    )
    assert (
        ", of 24 configurations. Keeping the best 16 lost nothing: none of the 8 "
        in said
    )
    assert said.endswith("though up to 31% of those left behind may.")


def test_d8_below_ten_pairs_nothing_is_told():
    found = between(two_rounds(0, truth=steep, noise=0.01, keep=8))
    assert (found.num_pairs, found.agreement, found.shifts) == (8, None, ())
    assert transfer_verdict(found).startswith(
        "Cannot tell whether runs of 500 and of 2,000 steps order configurations "
        "alike: 8 have a result at both, fewer than 10."
    )


def test_d8_a_best_rate_that_falls_with_the_horizon_is_found_and_told():
    trials = two_rounds(0, truth=falling, noise=0.005, control=16)
    (found,) = [
        finding
        for finding in transfer_findings(trials, definition())
        if finding.subject == "learning_rate"
    ]
    assert found.id == "D8"
    assert found.text.startswith(
        "From 500 to 2,000 steps its best region moved as expected (large language "
        "models: times 0.64): 0.0"
    )
    assert found.remedy.endswith("search lower in the next round.")


def test_d8_the_shift_is_judged_beside_the_expectation():
    trials = two_rounds(0, truth=falling, noise=0.005, control=16)
    found = between(trials)
    told = {s.name: shift_verdict(s, SPACE[s.name]) for s in found.shifts}
    assert told == {
        "learning_rate": "moved down, as expected",
        "weight_decay": "cannot tell",
        "warmup_steps": "cannot tell",
        "activation": "cannot tell",
    }
    # warm-up and architecture are expected to carry over
    assert recheck(found, SPACE) == ["learning_rate", "weight_decay"]


def test_d8_a_reversed_order_is_a_finding():
    trials = two_rounds(0, truth=turning, noise=0.01)
    found = [*transfer_findings(trials, definition())]
    assert found[0].subject == "round 1 to 2"
    assert "the order of configurations was reversed" in found[0].text


def test_d8_better_ones_left_behind_are_a_finding():
    trials = two_rounds(0, truth=turning, noise=0.01, control=16)
    texts = [finding.text for finding in transfer_findings(trials, definition())]
    assert any("16 of the 16 control trials ended better" in text for text in texts)


def test_d8_only_what_a_child_did_itself_is_compared():
    trials = two_rounds(0, truth=steep, noise=0.01)
    # the long runs' best is what they share with their parents, their own the reverse
    own = (
        pl.when(pl.col("round") == 1)
        .then("best_objective")
        .otherwise(-pl.col("best_objective"))
    )
    assert between(trials).agreement.verdict == "kept"
    assert between(trials.with_columns(own_objective=own)).agreement.verdict == (
        "reversed"
    )


def test_a_maximized_objective_transfers_the_same():
    trials = two_rounds(0, truth=falling, noise=0.005, control=16)
    negative = trials.with_columns(best_objective=-pl.col("best_objective"))
    assert between(negative, maximize=True).shifts == between(trials).shifts


def test_the_order_of_trials_does_not_matter():
    trials = two_rounds(0, truth=falling, noise=0.005, control=8)
    assert between(trials.reverse()).agreement == between(trials).agreement


def test_d7_a_verdict_says_on_what_share_of_production_it_rests():
    trials = two_rounds(0)
    found = between(trials, production_steps=20_000)
    assert found.share == 0.1
    assert "The longer runs are 10% of production length" in transfer_verdict(found)


def test_d7_conclusions_from_short_runs_are_a_finding():
    given = definition(production_steps=20_000)
    found = [f for f in transfer_findings(two_rounds(0), given) if f.id == "D7"]
    (finding,) = found
    assert "at most 2,000 of 20,000 steps, 10% of production length" in finding.text
    assert finding.remedy.endswith("tuner promote DIR --keep 4 --steps 8000.")
    assert not [*transfer_findings(two_rounds(0), definition(production_steps=2000))]


def test_d2_a_round_under_other_conditions_is_a_finding():
    dropout = {"type": "float", "low": 0.0, "high": 0.5, "log": False}
    dropout |= {"kind": "regularization", "off": 0.0}
    rounds = [{"max_train_steps": 500}, {"space": {"dropout": dropout}}]
    (finding,) = transfer_findings(two_rounds(0), definition(rounds=rounds))
    assert (finding.id, finding.subject) == ("D2", "max_train_steps of round 2")
    assert "dropout was none and is 0.0 to 0.5: more steps" in finding.text


def test_d9_a_rule_that_lost_is_a_finding():
    trials = two_rounds(0)
    children = trials.filter(round=2)
    worse = children.with_columns(
        trial=pl.col("trial") + 100,
        extend=pl.lit("LengthenConstant()"),
        best_objective=pl.col("best_objective") + 1,
    )
    found = [*transfer_findings(pl.concat([trials, worse]), definition())]
    (finding,) = [each for each in found if each.id == "D9"]
    assert finding.subject == "LengthenConstant()"
    assert finding.text.startswith(
        "On the same 16 trials of round 2 it did worse than Stretch(), by 1 ("
    )


def test_c13_a_candidate_no_better_than_the_baseline_is_a_finding():
    base = two_rounds(0, keep=1).filter(round=2)
    runs = [
        base.with_columns(
            trial=pl.lit(100 + 10 * sample + i),
            sample=pl.lit(sample),
            replicate=pl.lit(i),
            best_objective=pl.lit(0.5 + value),
            **{"hp.learning_rate": pl.lit(0.01 * (sample + 2))},
        )
        for sample in (-1, 7)
        for i, value in enumerate([0.0, 0.1, -0.1])
    ]
    (finding,) = transfer_findings(pl.concat(runs), definition())
    assert (finding.id, finding.subject) == ("C13", "trial 170")
    assert "cannot be told from the baseline, trial 90: +0 (" in finding.text


def test_a_single_round_has_nothing_to_transfer():
    first = two_rounds(0).filter(round=1)
    assert transfers(first, SPACE) == []
    assert [*transfer_findings(first, definition())] == []
    assert [*transfer_findings(first.clear(), definition())] == []


def test_three_rounds_are_compared_two_by_two_neighbours_first():
    trials = two_rounds(0)
    third = trials.filter(round=2).with_columns(
        trial=pl.col("trial") + 100,
        round=pl.lit(3, pl.Int64),
        max_train_steps=pl.lit(8000, pl.Int64),
    )
    found = transfers(pl.concat([trials, third]), SPACE)
    assert [(each.short, each.long) for each in found] == [(1, 2), (2, 3), (1, 3)]


EXPECTED = [
    # what the playbook says, and what is known better by name
    ("warmup_steps", "warm-up", "very likely"),
    ("init_scale", "initialization", "very likely"),
    ("width", "architecture", "likely"),
    ("b2", "optimizer", "perhaps"),
    ("mixup", "augmentation", "perhaps"),
    ("dropout", "regularization", "perhaps"),
    ("decay_fraction", "schedule", "unlikely"),
    ("optimizer.adam.learning_rate", "optimizer", "falls"),
    (
        "weight_decay",
        "regularization",
        "perhaps, times rate and steps",
    ),
    ("x", None, "not known without a kind"),
]


@pytest.mark.parametrize(("name", "kind", "expected"), EXPECTED)
def test_d8_the_playbooks_expectations(name, kind, expected):
    assert expectation(name, {"kind": kind}) == expected


def test_a_space_is_read_off_trials():
    trials = pl.DataFrame(
        {
            "hp.rate": [1e-4, 1e-2, 1e-1],
            "hp.width": [64, 128, 256],
            "hp.act": ["relu", "tanh", "relu"],
            "hp.b2": [0.9, 0.9, 0.9],
        }
    )
    space = as_space(trials)
    chosen = {name: domain["type"] for name, domain in space.items()}
    assert chosen == {"rate": "float", "width": "int", "act": "choice", "b2": "fixed"}
    assert (space["rate"]["log"], space["width"]["log"]) == (True, False)
