import re

import polars as pl
import pytest
from simulated import SPACE, falling, two_rounds

from tuner.report.material import gather
from tuner.report.sections import adoption, rules, transfer
from tuner.report.transfer import every_run

STEPS = {1: 100, 2: 400}
ROUNDS = [
    {"max_train_steps": 100, "trials": 32, "points": [], "keep": 0},
    {"max_train_steps": 400, "trials": 0, "points": [], "keep": 24},
]


def text(markup):
    """What a reader sees, without the figures' data."""
    plain = re.sub(r"<script.*?</script>", "", str(markup), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", plain))


@pytest.fixture
def material(trial, make_run):
    """Makes what a page is made from out of frames of trials."""

    def make(frame):
        names = [name for name in frame.columns if name.startswith("hp.")]
        rows = [
            trial(
                row["trial"],
                row["best_objective"] + 1,
                activation=None,
                hyperparams={name.removeprefix("hp."): row[name] for name in names},
                sample=row["sample"],
                replicate=row["replicate"],
                round=row["round"],
                parent=row["parent"],
                max_train_steps=STEPS[row["round"]],
                step=STEPS[row["round"]],
                extend=row["extend"],
                control=row["control"],
            )
            for row in frame.iter_rows(named=True)
        ]
        return gather(make_run(rows, domains=SPACE, rounds=ROUNDS))

    return make


def test_the_transfer_table_has_expectation_and_measurement(material):
    frame = two_rounds(1, truth=falling, noise=0.002, trials=32, keep=12, control=12)
    said = text(transfer(material(frame)))
    assert "From round 1 to 2. " in said
    assert "Kendall's tau" in said
    assert re.search(r"learning_rate falls moved down, as expected 0\.\d+ to 0", said)
    assert re.search(r"warmup_steps very likely cannot tell \d", said)
    assert "To be searched again in the next round: learning_rate" in said


def test_a_single_round_has_no_transfer(material):
    frame = two_rounds(1, trials=12, keep=1).filter(round=1)
    made = material(frame)
    assert transfer(made) is None
    assert rules(made) is None
    assert adoption(made) is None


def test_rules_stand_side_by_side_and_the_conjecture_is_marked(material):
    frame = two_rounds(1, trials=12, keep=6)
    children = frame.filter(round=2)
    longer = children.with_columns(
        trial=pl.col("trial") + 100,
        extend=pl.lit("LengthenConstant()"),
        best_objective=pl.col("best_objective") - 1,
    )
    said = text(rules(material(pl.concat([frame, longer]))))
    assert "Stretch() LengthenConstant() 6 +1" in said
    assert said.count("LengthenConstant()") == 2  # compared, and won
    assert "LengthenConstant is the playbook's rule, and a conjecture there." in said


@pytest.fixture
def retrained(material):
    base = two_rounds(0, trials=12, keep=1).filter(round=2)
    runs = [
        base.with_columns(
            trial=pl.lit(10 * (sample + 2) + i, pl.Int64),
            sample=pl.lit(sample, pl.Int64),
            replicate=pl.lit(i, pl.Int32),
            parent=pl.lit(None, pl.Int32),
            best_objective=pl.lit(level + value),
            **{"hp.learning_rate": pl.lit(0.01 * (sample + 2))},
        )
        for sample, level in ((-1, 0.5), (7, 0.1))
        for i, value in enumerate([0.0, 0.01, -0.01, 0.0])
    ]
    return material(pl.concat(runs))


def test_an_adopted_candidate_is_told_with_its_interval(retrained):
    said = text(adoption(retrained))
    assert "Adopt trial 90: it is better than the baseline" in said
    assert "4 runs against 4" in said
    assert "trial 90 4 \N{MINUS SIGN}0.4" in said


def test_every_run_is_drawn_and_equal_ones_stand_apart(retrained):
    figure = every_run(retrained, retrained.adoption).figure
    points = [trace for trace in figure.data if len(trace.x) > 1]
    places = [list(zip(trace.x, trace.y, strict=True)) for trace in points]
    assert [len(set(of_one)) for of_one in places] == [4, 4]
