import polars as pl
import pytest

from tuner.analysis.boundary import Edge, edges, place

UNIT = {"type": "float", "low": 0.0, "high": 1.0, "log": False, "hard": None}

#  x: objective of ten trials or more, by where they lie in [0, 1]
CROWD_AT_HIGH = {0.95: 0.1, 0.9: 0.2, 0.85: 0.3, 0.82: 0.4, 0.5: 0.5} | {
    x / 100: 1.0 + x for x in range(10, 60, 9)
}


def trials(objectives, name="x", **columns):
    rows = len(objectives)
    values = list(objectives)
    status = columns.pop("status", ["complete"] * rows)
    return pl.DataFrame(
        {
            "trial": range(rows),
            "parent": pl.Series([None] * rows, dtype=pl.Int32),
            "status": status,
            "best_objective": [objectives[x] for x in values],
            "tie": pl.Series([None] * rows, dtype=pl.Float64),
            f"hp.{name}": values,
            **columns,
        }
    )


def found(frame, domain=UNIT, **options):
    return list(edges(frame, {"x": domain}, **options))


def test_four_of_the_best_five_in_the_outer_fifth_are_an_edge():
    assert found(trials(CROWD_AT_HIGH)) == [Edge("x", "high", 1.0, 4)]


def test_three_of_the_best_five_are_none():
    spaced = {0.7 if x == 0.82 else x: y for x, y in CROWD_AT_HIGH.items()}
    assert found(trials(spaced)) == []


def test_a_low_edge_is_the_mirror_of_a_high_one():
    mirrored = {1 - x: y for x, y in CROWD_AT_HIGH.items()}
    assert found(trials(mirrored)) == [Edge("x", "low", 0.0, 4)]


def test_a_maximized_objective_has_its_best_at_the_top():
    negative = {x: -y for x, y in CROWD_AT_HIGH.items()}
    assert found(trials(negative), maximize=True) == [Edge("x", "high", 1.0, 4)]


@pytest.mark.parametrize("hard", ["high", "both"])
def test_a_natural_limit_is_no_edge(hard):
    assert found(trials(CROWD_AT_HIGH), UNIT | {"hard": hard}) == []


def test_a_natural_limit_at_the_other_end_changes_nothing():
    assert len(found(trials(CROWD_AT_HIGH), UNIT | {"hard": "low"})) == 1


def test_the_scale_decides_what_is_near():
    # by logarithms 0.01 lies halfway between 0.0001 and 1
    domain = UNIT | {"low": 1e-4, "log": True}
    powers = {10 ** (4 * x - 4): y for x, y in CROWD_AT_HIGH.items()}
    assert found(trials(powers), domain) == [Edge("x", "high", 1.0, 4)]
    assert found(trials(CROWD_AT_HIGH), domain)[0].near == 5


@pytest.mark.parametrize(
    ("value", "domain", "expected"),
    [
        (0.01, {"type": "float", "low": 1e-4, "high": 1.0, "log": True}, 0.5),
        (3.0, {"type": "float", "low": 2.0, "high": 6.0, "log": False}, 0.25),
        (1, {"type": "int", "low": 1, "high": 4, "log": False}, 0.125),
        (4, {"type": "int", "low": 1, "high": 4, "log": False}, 0.875),
    ],
)
def test_a_value_has_its_place_on_the_scale(value, domain, expected):
    frame = pl.DataFrame({"hp.x": [value]})
    assert frame.select(place("x", domain)).item() == pytest.approx(expected)


def test_an_edge_beyond_which_trials_diverge_is_a_cliff():
    cliff = CROWD_AT_HIGH | {0.97: None, 0.99: None}
    status = ["complete"] * len(CROWD_AT_HIGH) + ["diverged"] * 2
    assert found(trials(cliff, status=status)) == []


def test_diverged_trials_farther_in_make_no_cliff():
    inside = CROWD_AT_HIGH | {0.87: None, 0.83: None}
    status = ["complete"] * len(CROWD_AT_HIGH) + ["diverged"] * 2
    assert len(found(trials(inside, status=status))) == 1


def test_a_diverged_trial_is_never_among_the_best():
    cheats = CROWD_AT_HIGH | {0.5 + x / 100: 0.0 for x in range(1, 4)}
    status = ["complete"] * len(CROWD_AT_HIGH) + ["diverged"] * 3
    assert len(found(trials(cheats, status=status))) == 1


def test_of_fewer_than_ten_trials_nothing_is_said():
    few = dict(list(CROWD_AT_HIGH.items())[:9])
    assert found(trials(few)) == []


def test_a_promoted_trial_does_not_count_its_configuration_twice():
    frame = trials(CROWD_AT_HIGH)
    best = frame.filter(pl.col("hp.x") == 0.5)
    children = pl.concat([best.with_columns(parent=4, best_objective=0.0)] * 4)
    assert len(found(pl.concat([frame, children]))) == 1


def test_trials_without_the_hyperparameter_do_not_count():
    frame = trials(CROWD_AT_HIGH)
    inactive = frame.with_columns(pl.lit(None, pl.Float64).alias("hp.x"))
    better = inactive.with_columns(best_objective=pl.lit(0.0))
    assert len(found(pl.concat([frame, better]))) == 1


def test_a_point_outside_the_range_does_not_count():
    outside = {x: y for x, y in CROWD_AT_HIGH.items() if x < 0.95} | {3.0: 0.0}
    assert found(trials(outside)) == []


def test_choices_and_fixed_values_have_no_edges():
    domains = {"x": {"type": "choice", "values": [0.1], "hard": None}}
    fixed = {"x": {"type": "fixed", "value": 0.1}}
    assert [*edges(trials(CROWD_AT_HIGH), domains)] == []
    assert [*edges(trials(CROWD_AT_HIGH), fixed)] == []
