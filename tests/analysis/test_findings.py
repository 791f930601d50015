import polars as pl
import pytest

from tuner.analysis.findings import findings

DOMAIN = {"type": "float", "low": 1e-4, "high": 0.1, "log": True, "hard": None}


def definition(*horizons, eval_every=5, space=None):
    return {
        "study": {
            "objective": {"metric": "valid/error", "direction": "minimize"},
            "space": space or {},
            "rounds": [{"max_train_steps": steps} for steps in horizons],
            "eval_every": eval_every,
        }
    }


def trials(*rows):
    """Trials by status, objective, rate, and the rate at which they broke."""
    schema = {
        "status": pl.String,
        "best_objective": pl.Float64,
        "hp.rate": pl.Float64,
        "diverged_learning_rate": pl.Float64,
    }
    frame = pl.DataFrame(list(rows), schema=schema, orient="row")
    return frame.with_columns(
        pl.int_range(pl.len(), dtype=pl.Int32).alias("trial"),
        parent=pl.lit(None, pl.Int32),
        tie=pl.lit(None, pl.Float64),
        round=pl.lit(1, pl.Int32),
        replicate=pl.lit(0, pl.Int32),
        max_train_steps=pl.lit(100, pl.Int32),
    )


def sound(number):
    return [("complete", 0.5, 0.01, None)] * number


def test_a_quiet_run_has_no_findings():
    assert findings(trials(*sound(12)), definition(100)) == []


def test_an_edge_names_the_end_and_the_way_out():
    crowd = [("complete", 0.1 + x / 1000, 0.1 - x / 1000, None) for x in range(12)]
    (finding,) = findings(trials(*crowd), definition(100, space={"rate": DOMAIN}))
    assert (finding.id, finding.subject) == ("C1", "rate")
    assert finding.text == (
        "5 of the best 5 trials lie in the highest fifth of its range, which ends at "
        "0.1: the best value may lie outside."
    )
    assert finding.remedy == (
        "Search higher than high=0.1, until the best lie well inside; say hard='high' "
        "if it is a natural limit."
    )


def test_many_broken_trials_are_a_finding_with_the_rates_they_broke_at():
    rates = [(0.1, 0.09), (0.05, 0.03), (0.08, 0.04)]
    broken = [("diverged", None, *pair) for pair in rates]
    (finding,) = findings(trials(*sound(9), *broken), definition(100))
    assert (finding.id, finding.subject) == ("C3", "trials")
    assert finding.text == (
        "3 of 12 trials (25%) diverged, at learning rates from 0.03 on."
    )
    assert "clip gradients" in finding.remedy


def test_failed_trials_are_no_reason_for_lower_rates():
    failed = [("failed", None, 0.01, None)] * 3
    (finding,) = findings(trials(*sound(9), *failed), definition(100))
    assert finding.subject == "failed trials"
    assert finding.text == "3 of 12 trials failed and take part in no comparison."


def test_a_few_broken_trials_are_none():
    broken = [("diverged", None, 0.1, 0.09)] * 2
    assert findings(trials(*sound(9), *broken), definition(100)) == []


def test_trials_that_have_not_ended_do_not_thin_out_the_broken():
    broken = [("diverged", None, 0.1, 0.09)]
    waiting = [("waiting", None, 0.1, None)] * 50
    (finding,) = findings(trials(*sound(3), *broken, *waiting), definition(100))
    assert finding.text.startswith("1 of 4 trials")


def test_promoted_trials_are_not_counted_again():
    frame = trials(*sound(9), ("diverged", None, 0.1, 0.09), *sound(4))
    parents = [None] * 10 + [0, 1, 2, 3]
    frame = frame.with_columns(parent=pl.Series(parents, dtype=pl.Int32))
    promoted_broken = frame.with_columns(
        status=pl.when(pl.col("parent").is_null())
        .then("status")
        .otherwise(pl.lit("diverged"))
    )
    assert findings(promoted_broken, definition(100)) == []


@pytest.mark.parametrize(
    # every 10 steps of 100 are 10 evaluations; every 5 would be 20
    ("horizons", "eval_every", "remedy"),
    [((100,), 10, 5), ((100, 250), 50, 5), ((60, 80), 20, 2), ((7,), 7, 1)],
)
def test_rare_evaluations_are_a_finding_with_an_interval_that_fits(
    horizons, eval_every, remedy
):
    given = definition(*horizons, eval_every=eval_every)
    (finding,) = findings(trials(*sound(3)), given)
    assert (finding.id, finding.subject) == ("D5", "eval_every")
    assert finding.remedy == f"Evaluate more often: eval_every={remedy}."


def test_d5_a_round_with_an_interval_of_its_own_is_judged_by_it():
    given = definition(100, 400)
    given["study"]["rounds"][1]["eval_every"] = 40
    (finding,) = findings(trials(*sound(3)), given)
    assert finding.text.startswith("A trial of 400 steps is evaluated 10 times")
    assert finding.remedy == "Evaluate more often: eval_every=20."


def test_the_text_on_rare_evaluations_has_its_numbers():
    (finding,) = findings(trials(*sound(3)), definition(100, eval_every=10))
    assert finding.text.startswith(
        "A trial of 100 steps is evaluated 10 times, fewer than 20: "
    )


def test_twenty_evaluations_are_enough():
    assert findings(trials(*sound(3)), definition(100, eval_every=5)) == []


def test_a_run_without_trials_has_no_findings():
    assert findings(trials(), definition(100, space={"rate": DOMAIN})) == []
