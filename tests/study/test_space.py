import json

import pytest

from tuner.study.domains import Choice, Float, Int
from tuner.study.space import Space

ADAM = Space(b1=Float(0.5, 0.99), b2=0.999)
NESTEROV = Space(momentum=Float(0.5, 0.99))

SPACE = Space(
    activation=Choice("relu", "gelu", role="scientific"),
    learning_rate=Float(1e-4, 1e-1, log=True),
    optimizer=Choice({"adam": ADAM, "nesterov": NESTEROV}, role="scientific"),
    warmup_steps=Int(0, 100),
    width=Int(16, 64, static=True),
    dropout=0.1,
    tied=False,
    hidden=(64, 32),
)

POINT = {
    "activation": "gelu",
    "learning_rate": 0.01,
    "optimizer": "adam",
    "optimizer.adam.b1": 0.9,
    "warmup_steps": 10,
    "width": 32,
}

CONFIGURATION = {
    "activation": "gelu",
    "learning_rate": 0.01,
    "optimizer": "adam",
    "optimizer.adam.b1": 0.9,
    "optimizer.adam.b2": 0.999,
    "warmup_steps": 10,
    "width": 32,
    "dropout": 0.1,
    "tied": False,
    "hidden": (64, 32),
}

# Known answers.


def test_domains_are_flat_and_in_the_order_of_declaration():
    assert list(SPACE.domains) == [
        "activation",
        "learning_rate",
        "optimizer",
        "optimizer.adam.b1",
        "optimizer.nesterov.momentum",
        "warmup_steps",
        "width",
    ]


def test_plain_values_are_fixed():
    assert SPACE.fixed == {
        "optimizer.adam.b2": 0.999,
        "dropout": 0.1,
        "tied": False,
        "hidden": (64, 32),
    }


def test_combinations_are_the_product_of_the_scientific_choices():
    assert SPACE.combinations() == [
        {"activation": "relu", "optimizer": "adam"},
        {"activation": "relu", "optimizer": "nesterov"},
        {"activation": "gelu", "optimizer": "adam"},
        {"activation": "gelu", "optimizer": "nesterov"},
    ]


def test_a_conditional_scientific_choice_varies_where_it_is_active():
    norm = Space(where=Choice("before", "after", role="scientific"))
    space = Space(norm=Choice({"none": Space(), "layer": norm}, role="scientific"))
    assert space.combinations() == [
        {"norm": "none"},
        {"norm": "layer", "norm.layer.where": "before"},
        {"norm": "layer", "norm.layer.where": "after"},
    ]


def test_without_scientific_choices_there_is_one_combination():
    assert Space(learning_rate=Float(0, 1), b2=0.9).combinations() == [{}]


def test_a_scientific_number_is_sampled():
    space = Space(width=Int(1, 9, role="scientific"))
    assert (space.combinations(), space.nuisances({})) == ([{}], ["width"])


def test_nuisances_are_those_of_the_chosen_values():
    assert SPACE.nuisances({"activation": "relu", "optimizer": "nesterov"}) == [
        "learning_rate",
        "optimizer.nesterov.momentum",
        "warmup_steps",
        "width",
    ]


def test_what_hangs_on_a_nuisance_is_a_nuisance_under_every_combination():
    space = Space(optimizer=Choice({"adam": ADAM, "nesterov": NESTEROV}))
    assert space.nuisances({}) == list(space.domains)


def test_a_configuration_holds_all_active_names_in_the_order_of_declaration():
    shuffled = dict(reversed(POINT.items()))
    assert list(SPACE.complete(shuffled).items()) == list(CONFIGURATION.items())


def test_a_configuration_is_complete():
    assert SPACE.complete(CONFIGURATION) == CONFIGURATION


def test_values_are_written_as_their_domains_do():
    completed = Space(rate=Float(0, 2), clip=1.0).complete({"rate": 1, "clip": 2})
    assert repr(completed) == "{'rate': 1.0, 'clip': 2.0}"


def test_a_point_may_have_another_fixed_value():
    assert SPACE.complete(POINT | {"hidden": (8,)})["hidden"] == (8,)


def test_strings_static_numbers_and_fixed_values_are_static():
    assert SPACE.static(CONFIGURATION) == {
        "activation": "gelu",
        "optimizer": "adam",
        "optimizer.adam.b2": 0.999,
        "width": 32,
        "dropout": 0.1,
        "tied": False,
        "hidden": (64, 32),
    }


def test_searched_numbers_are_traced():
    assert SPACE.traced(CONFIGURATION) == {
        "learning_rate": 0.01,
        "optimizer.adam.b1": 0.9,
        "warmup_steps": 10,
    }


def test_replace_changes_one_name():
    changed = SPACE.replace(learning_rate=0.1)
    assert changed.fixed["learning_rate"] == 0.1
    assert {**changed.domains, "learning_rate": None} == {
        **SPACE.domains,
        "learning_rate": None,
    }


def test_replace_reaches_into_sub_spaces():
    changed = SPACE.replace({"optimizer.adam.b1": 0.9})
    assert changed == SPACE.replace(
        optimizer=Choice(
            {"adam": Space(b1=0.9, b2=0.999), "nesterov": NESTEROV}, role="scientific"
        )
    )


def test_replace_leaves_the_original_alone():
    before = SPACE.describe()
    SPACE.replace({"optimizer.adam.b1": 0.9}, dropout=0.0)
    assert SPACE.describe() == before


def test_a_description_is_flat_json():
    space = Space(optimizer=Choice({"adam": Space(b2=0.9)}), hidden=(64, 32))
    description = space.describe()
    assert json.loads(json.dumps(description)) == description
    assert description == {
        "optimizer": space.domains["optimizer"].describe(),
        "optimizer.adam.b2": {"type": "fixed", "value": 0.9, "role": "fixed"},
        "hidden": {"type": "fixed", "value": [64, 32], "role": "fixed"},
    }


def test_spaces_of_one_description_are_equal():
    one, other = (Space(rate=Float(0, 1), width=8) for _ in range(2))
    assert (one, hash(one)) == (other, hash(other))


@pytest.mark.parametrize(
    "other",
    [
        Space(width=8, rate=Float(0, 1)),  # the order decides what is sampled where
        Space(rate=Float(0, 1), width=8.0),
        Space(rate=Float(0, 1, role="scientific"), width=8),
        {"rate": Float(0, 1), "width": 8},
    ],
)
def test_spaces_of_other_descriptions_differ(other):
    assert Space(rate=Float(0, 1), width=8) != other


# Errors.


@pytest.mark.parametrize("name", ["max_train_steps", "steps", "num_steps"])
def test_d3_the_horizon_is_no_hyperparameter(name):
    with pytest.raises(ValueError, match=rf"`{name}` does not belong .* tuner\.Round"):
        Space(**{name: Int(100, 1000)})


@pytest.mark.parametrize("name", ["_rate", "learning-rate", "lambda", "optimizer.b1"])
def test_names_are_identifiers(name):
    with pytest.raises(ValueError, match="Python identifier without a leading under"):
        Space(**{name: 0.1})


def test_the_name_of_a_method_is_taken():
    with pytest.raises(ValueError, match=r"`replace` is taken by Hyperparams\.replace"):
        Space(replace=0.1)


def test_name_is_the_chosen_name():
    inner = Space(name=Choice("a", "b"))
    with pytest.raises(ValueError, match=r"`optimizer\.adam\.name` must be renamed"):
        Space(optimizer=Choice({"adam": inner}))


def test_outside_of_sub_spaces_name_is_a_name():
    assert Space(name="a").fixed == {"name": "a"}


def test_what_is_neither_domain_nor_plain_is_refused():
    with pytest.raises(TypeError, match="`layers` must be a plain value"):
        Space(layers=[64, 64])


def test_a_scientific_choice_hangs_on_no_nuisance():
    inner = Space(amsgrad=Choice(True, False, role="scientific"))
    rule = r"`optimizer\.adam\.amsgrad` is scientific but hangs on `optimizer`, a nuis"
    with pytest.raises(ValueError, match=rule):
        Space(optimizer=Choice({"adam": inner}))


def test_an_unknown_combination_is_refused():
    with pytest.raises(ValueError, match="is no combination of this space, which has"):
        SPACE.nuisances({"activation": "tanh", "optimizer": "adam"})


def test_an_unknown_name_lists_the_known_nearest_first():
    rule = "unknown hyperparameter 'learning_rte': did you mean 'learning_rate'"
    with pytest.raises(ValueError, match=rule):
        SPACE.complete(POINT | {"learning_rte": 0.1})


def test_missing_names_are_named():
    point = {name: POINT[name] for name in ("activation", "optimizer", "width")}
    rule = r"a value for learning_rate, optimizer\.adam\.b1, warmup_steps, but got"
    with pytest.raises(ValueError, match=rule):
        SPACE.complete(point)


def test_what_a_missing_choice_would_open_is_not_missing():
    point = {name: POINT[name] for name in POINT if not name.startswith("optimizer")}
    with pytest.raises(ValueError, match="needs a value for optimizer, but got"):
        SPACE.complete(point)


def test_inactive_names_are_refused():
    rule = r"`optimizer\.nesterov\.momentum` is active only where optimizer = 'nester"
    with pytest.raises(ValueError, match=rule):
        SPACE.complete(POINT | {"optimizer.nesterov.momentum": 0.9})


def test_values_are_checked_by_their_domains():
    with pytest.raises(ValueError, match=r"`0\.0001 <= learning_rate <= 0\.1` must"):
        SPACE.complete(POINT | {"learning_rate": 1.0})


@pytest.mark.parametrize(("name", "value"), [("tied", 1), ("hidden", 64)])
def test_a_fixed_value_keeps_its_type(name, value):
    with pytest.raises(TypeError, match=f"`{name}` is fixed as a .*, but got {value}"):
        SPACE.complete(POINT | {name: value})


def test_replace_knows_only_what_is_there():
    rule = r"unknown hyperparameter 'optimizer.adam.b3': did you mean 'optimizer.adam"
    with pytest.raises(ValueError, match=rule):
        SPACE.replace({"optimizer.adam.b3": 0.9})
