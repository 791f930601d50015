import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from tuner.study.domains import Choice, Float, Int
from tuner.study.sampling import coordinates, sample
from tuner.study.space import Space


def choose(names, role="scientific"):
    """A Choice of optimizers, of which each opens a space of its own."""
    spaces = {
        "adam": Space(b1=Float(0, 1), eps=Float(1e-9, 1e-3, log=True)),
        "sgd": Space(),
        "nesterov": Space(momentum=Float(0, 1)),
    }
    return Choice({name: spaces[name] for name in names}, role=role)


def space_of(optimizers=("adam", "nesterov"), activations=("relu", "gelu")):
    """Two unconditional nuisances, and two scientific choices that open spaces."""
    spaces = {"relu": Space(), "gelu": Space(), "prelu": Space(slope=Float(0, 1))}
    return Space(
        optimizer=choose(optimizers),
        learning_rate=Float(1e-4, 1e-1, log=True),
        activation=Choice({a: spaces[a] for a in activations}, role="scientific"),
        warmup_steps=Int(0, 100),
        dropout=0.1,
    )


def draw(space, combination, count=8, *, start=0, seed=1, version=0, method="halton"):
    return sample(
        space,
        combination,
        seed=seed,
        version=version,
        start=start,
        count=count,
        method=method,
    )


ADAM = {"optimizer": "adam", "activation": "relu"}
SHARED = ("learning_rate", "warmup_steps")

sequences = pytest.mark.parametrize("method", ["halton", "random"])

# Known answers.


def test_samples_are_points_of_the_scrambled_halton_sequence():
    space = Space(first=Float(0, 1), second=Float(0, 1))
    points = qmc.Halton(2, rng=np.random.default_rng([3, 2])).random(8)
    samples = draw(space, {}, seed=3, version=2)
    assert [[s["first"], s["second"]] for s in samples] == points.tolist()


def test_a_sample_is_a_whole_configuration():
    configuration = draw(space_of(), ADAM, count=1)[0]
    assert list(configuration) == [
        "optimizer",
        "optimizer.adam.b1",
        "optimizer.adam.eps",
        "learning_rate",
        "activation",
        "warmup_steps",
        "dropout",
    ]


def test_unconditional_names_come_first_and_choices_take_turns():
    space = space_of(("adam", "nesterov"), ("relu", "prelu"))
    assert coordinates(space) == {
        "learning_rate": 0,
        "warmup_steps": 1,
        "optimizer.adam.b1": 2,
        "activation.prelu.slope": 3,
        "optimizer.adam.eps": 4,
        "optimizer.nesterov.momentum": 2,
    }


def test_a_grid_in_one_dimension_reaches_both_ends():
    samples = draw(Space(rate=Float(0, 1)), {}, count=5, method="grid")
    assert [s["rate"] for s in samples] == [0, 0.25, 0.5, 0.75, 1]


def test_a_grid_in_two_dimensions_is_a_square():
    space = Space(rate=Float(0, 1), width=Choice(8, 16, 32))
    samples = draw(space, {}, count=9, method="grid")
    assert [(s["rate"], s["width"]) for s in samples] == [
        (0.0, 8), (0.0, 16), (0.0, 32),
        (0.5, 8), (0.5, 16), (0.5, 32),
        (1.0, 8), (1.0, 16), (1.0, 32),
    ]  # fmt: skip


def test_a_grid_of_one_point_is_in_the_middle():
    assert draw(Space(rate=Float(0, 1)), {}, count=1, method="grid") == [{"rate": 0.5}]


@pytest.mark.parametrize("method", ["halton", "random", "grid"])
def test_without_searched_names_the_sample_is_what_is_fixed(method):
    assert draw(Space(rate=0.1), {}, count=1, method=method) == [{"rate": 0.1}]


@pytest.mark.parametrize("method", ["halton", "random", "grid"])
def test_no_samples_are_none(method):
    assert draw(Space(rate=Float(0, 1)), {}, count=0, method=method) == []


def test_a_nuisance_that_opens_spaces_brings_what_it_chose():
    space = Space(optimizer=choose(["adam", "sgd", "nesterov"], role="nuisance"))
    names = {s["optimizer"]: len(s) for s in draw(space, {}, count=30)}
    assert names == {"adam": 3, "sgd": 1, "nesterov": 2}


def test_halton_covers_each_dimension_evenly():
    space = Space(first=Float(0, 1), second=Float(0, 1), third=Float(0, 1))
    values = np.array([list(s.values()) for s in draw(space, {}, count=30)])
    # 30 points of base 2, 3 and 5 fill each half, third and fifth equally.
    for column, base in zip(values.T, (2, 3, 5), strict=True):
        assert np.unique(np.floor(column * base), return_counts=True)[1].tolist() == (
            [30 // base] * base
        )


# Laws.


@sequences
@settings(max_examples=30)
@given(start=st.integers(0, 6), count=st.integers(0, 6), seed=st.integers(0, 2**32))
def test_a_sample_depends_on_its_number_alone(method, start, count, seed):
    space = space_of()
    together = draw(space, ADAM, 12, seed=seed, method=method)
    apart = draw(space, ADAM, count, start=start, seed=seed, method=method)
    assert apart == together[start : start + count]


@given(num_fewer=st.integers(1, 6), num_more=st.integers(1, 6), seed=st.integers(0, 99))
def test_halton_does_not_change_in_a_cube_of_more_dimensions(num_fewer, num_more, seed):
    points = [
        qmc.Halton(n, rng=np.random.default_rng([seed, 0])).random(20)
        for n in (num_fewer, num_fewer + num_more)
    ]
    assert np.array_equal(points[0], points[1][:, :num_fewer])


@sequences
def test_combinations_walk_the_same_points(method):
    walks = [
        [[s[name] for name in SHARED] for s in draw(space_of(), c, method=method)]
        for c in space_of().combinations()
    ]
    assert all(walk == walks[0] for walk in walks)


@sequences
def test_names_that_only_some_combinations_share_are_the_same_in_those(method):
    space = space_of(("adam", "sgd", "nesterov"), ("relu", "prelu"))
    slopes = [
        [s["activation.prelu.slope"] for s in draw(space, c, method=method)]
        for c in space.combinations()
        if c["activation"] == "prelu"
    ]
    assert len(slopes) == 3
    assert all(slope == slopes[0] for slope in slopes)


@sequences
@pytest.mark.parametrize("optimizers", [("adam", "nesterov", "sgd"), ("sgd", "adam")])
@pytest.mark.parametrize("activations", [("prelu", "gelu", "relu"), ("relu",)])
def test_other_scientific_values_move_no_sample(method, optimizers, activations):
    before = draw(space_of(), ADAM, method=method)
    after = draw(space_of(optimizers, activations), ADAM, method=method)
    assert after == before


@sequences
def test_a_plain_choice_may_come_to_open_spaces(method):
    plain = Choice("relu", "gelu", role="scientific")
    before = draw(space_of().replace(activation=plain), ADAM, method=method)
    after = draw(space_of(("adam",), ("relu", "prelu")), ADAM, method=method)
    assert after == before


@sequences
@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), version=st.integers(0, 5))
def test_samples_lie_in_their_space(method, seed, version):
    space = space_of()
    for one in draw(space, ADAM, seed=seed, version=version, method=method):
        assert space.complete(one) == one


@sequences
@pytest.mark.parametrize("change", [{"seed": 2}, {"version": 1}])
def test_seed_and_version_choose_the_sequence(method, change):
    assert draw(space_of(), ADAM, **change, method=method) != draw(
        space_of(), ADAM, method=method
    )


@given(seed=st.integers(0, 2**32), version=st.integers(0, 5))
def test_a_grid_has_no_chance(seed, version):
    space = Space(rate=Float(0, 1))
    assert draw(space, {}, 5, seed=seed, version=version, method="grid") == draw(
        space, {}, 5, method="grid"
    )


# Errors.


def test_an_unknown_method_lists_the_known():
    with pytest.raises(ValueError, match="unknown sampling method 'halten': did you m"):
        draw(space_of(), ADAM, method="halten")


def test_a_grid_has_at_most_two_dimensions():
    space = Space(a=Float(0, 1), b=Float(0, 1), c=Float(0, 1))
    rule = 'at most two searched dimensions, but got 3: use sampling="halton"'
    with pytest.raises(ValueError, match=rule):
        draw(space, {}, count=8, method="grid")


def test_a_grid_in_two_dimensions_needs_a_square():
    space = Space(a=Float(0, 1), b=Float(0, 1))
    rule = r"has n\*\*2 points, but got \(count=8\): 4 or 9 would do"
    with pytest.raises(ValueError, match=rule):
        draw(space, {}, count=8, method="grid")


def test_a_grid_is_not_continued():
    with pytest.raises(ValueError, match=r"a grid cannot be continued, .*\(start=4\)"):
        draw(Space(a=Float(0, 1)), {}, count=4, start=4, method="grid")
