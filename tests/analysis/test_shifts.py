import polars as pl
import pytest
from simulated import SPACE, falling, two_rounds

from tuner.analysis import configurations
from tuner.analysis.shifts import shifts


def moved(trials, space=SPACE, **options):
    results = configurations.results(trials, **options)
    paired = configurations.pairs(results, 1, 2)
    return {s.name: s for s in shifts(results, paired, 1, 2, space)}


def made(short, long, places, status=None):
    """Every configuration in both rounds, by its place in [0, 1]."""
    number = len(places)
    return pl.DataFrame(
        {
            "trial": range(2 * number),
            "sample": [*range(number)] * 2,
            "round": [1] * number + [2] * number,
            "status": status or ["complete"] * 2 * number,
            "best_objective": [*short, *long],
            "hp.x": places * 2,
        }
    )


UNIT = {"x": {"type": "float", "low": 0.0, "high": 1.0, "log": False, "kind": None}}
PLACES = [n / 11 for n in range(12)]


def test_d8_the_best_third_is_where_it_is():
    # of twelve the best four: at 8/11 to 11/11, then at 0 to 3/11
    falls = [-place for place in PLACES]
    found = moved(made(falls, PLACES, PLACES), UNIT)["x"]
    assert (found.short, found.long) == pytest.approx((9.5 / 11, 1.5 / 11))
    assert (found.from_value, found.to_value) == (found.short, found.long)
    assert found.is_told
    assert found.low <= found.shift <= found.high < 0


def test_d8_what_stays_has_not_moved():
    found = moved(made(PLACES, PLACES, PLACES), UNIT)["x"]
    assert (found.shift, found.low, found.high) == (0, 0, 0)
    assert not found.is_told


def test_d8_places_are_on_the_domains_own_scale():
    space = {"x": UNIT["x"] | {"low": 1e-4, "high": 1.0, "log": True}}
    rates = [10 ** (-4 * (1 - place)) for place in PLACES]
    found = moved(made(PLACES, PLACES, rates), space)["x"]
    assert found.short == pytest.approx(1.5 / 11)
    assert found.from_value == pytest.approx(10 ** (-4 * (1 - 1.5 / 11)))


def test_d8_a_maximized_objective_has_its_best_at_the_top():
    found = moved(made(PLACES, PLACES, PLACES), UNIT, maximize=True)["x"]
    assert found.short == pytest.approx(9.5 / 11)


def test_d8_the_long_runs_that_broke_count_as_the_worst():
    broken = ["complete"] * 12 + ["complete"] * 6 + ["diverged"] * 6
    long = [1 - place for place in PLACES]
    found = moved(made(PLACES, long, PLACES, broken), UNIT)["x"]
    assert found.long == pytest.approx(3.5 / 11)  # 2/11 to 5/11 are the best that live


def test_d8_a_falling_best_rate_is_found_and_nothing_else():
    found = moved(two_rounds(0, truth=falling, noise=0.005, keep=16, control=16))
    told = [name for name, shift in found.items() if shift.is_told]
    assert told == ["learning_rate"]
    rate = found["learning_rate"]
    assert rate.shift < 0
    # from 10^-2 to 5 x 10^-3; a third of 32 configurations says so roughly
    assert 0.005 < rate.from_value < 0.02
    assert 0.0025 < rate.to_value < 0.01


def test_d8_a_choice_has_a_share_of_the_best_third():
    places = ["relu", "tanh"] * 6
    better_relu = [n % 2 + n / 100 for n in range(12)]
    better_tanh = [1 - n % 2 + n / 100 for n in range(12)]
    space = {"x": {"type": "choice", "values": ["relu", "tanh"], "kind": None}}
    found = moved(made(better_relu, better_tanh, places), space)["x"]
    assert (found.value, found.short, found.long) == ("tanh", 0, 1)
    assert found.from_value is None


def test_fewer_than_ten_configurations_say_nothing():
    nine = PLACES[:9]
    assert moved(made(nine, nine, nine), UNIT) == {}


def test_d8_rounds_without_a_common_configuration_are_compared_by_what_they_begun():
    both = two_rounds(1, truth=falling, noise=0.005, keep=64)
    apart = both.with_columns(sample=pl.col("trial"), parent=pl.lit(None, pl.Int32))
    rate = moved(apart)["learning_rate"]
    assert not rate.paired
    assert rate.is_told
    assert rate.shift < 0


def test_a_hyperparameter_that_does_not_vary_has_no_region():
    assert moved(made(PLACES, PLACES, [0.5] * 12), UNIT) == {}
