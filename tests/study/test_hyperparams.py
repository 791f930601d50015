import jax
import jax.numpy as jnp
import pytest

from tuner.study.hyperparams import Hyperparams

HYPERPARAMS = Hyperparams(
    {
        "learning_rate": 0.1,
        "activation": "relu",
        "optimizer": "adam",
        "optimizer.adam.b1": 0.9,
        "optimizer.adam.norm": "layer",
        "optimizer.adam.norm.layer.eps": 1e-6,
        "regularizer": "none",
    }
)


def test_values_are_attributes():
    assert HYPERPARAMS.learning_rate == 0.1


def test_a_plain_choice_reads_as_its_value():
    assert HYPERPARAMS.activation == "relu"


def test_an_opened_space_reads_by_its_choice():
    assert HYPERPARAMS.optimizer.b1 == 0.9


def test_the_chosen_name_is_an_attribute():
    assert HYPERPARAMS.optimizer.name == "adam"


def test_spaces_open_within_spaces():
    assert HYPERPARAMS.optimizer.norm.eps == 1e-6


def test_a_chosen_name_without_a_space_reads_as_the_others_do():
    assert HYPERPARAMS.regularizer.name == "none"


def test_replace_puts_in_a_value():
    assert HYPERPARAMS.replace(learning_rate=0.2).learning_rate == 0.2


def test_replace_reaches_into_spaces():
    changed = HYPERPARAMS.replace(**{"optimizer.adam.b1": 0.8})
    assert changed.optimizer.b1 == 0.8


def test_replace_leaves_the_original_alone():
    HYPERPARAMS.replace(learning_rate=0.2)
    assert HYPERPARAMS.learning_rate == 0.1


def test_traced_values_pass_through():
    def both(rate, b1):
        values = {"learning_rate": 0.0, "optimizer": "adam", "optimizer.adam.b1": b1}
        hyperparams = Hyperparams(values).replace(learning_rate=rate)
        return (
            repr(hyperparams) and hyperparams.learning_rate + hyperparams.optimizer.b1
        )

    assert jax.jit(both)(jnp.float32(0.5), jnp.float32(0.25)) == 0.75


def test_the_repr_shows_how_to_read_each_value():
    values = {"rate": 0.1, "optimizer": "adam", "optimizer.adam.b1": 0.9}
    assert repr(Hyperparams(values)) == (
        "Hyperparams(rate=0.1, optimizer=Hyperparams(name='adam', b1=0.9))"
    )


# Errors.


def test_an_unknown_attribute_names_the_known_nearest_first():
    rule = "unknown hyperparameter 'learning_rte': did you mean 'learning_rate'"
    with pytest.raises(AttributeError, match=rule):
        _ = HYPERPARAMS.learning_rte


def test_an_unknown_attribute_of_a_space_names_those_of_the_space():
    with pytest.raises(AttributeError, match=r"'b2'.* Known: 'b1', 'name', 'norm'$"):
        _ = HYPERPARAMS.optimizer.b2


def test_nothing_is_set():
    with pytest.raises(AttributeError, match=r"`hyperparams\.replace\(b2=\.\.\.\)`"):
        HYPERPARAMS.b2 = 0.9


def test_an_opened_space_is_not_compared_to_a_name():
    with pytest.raises(TypeError, match=r"by its name, `\.name == 'adam'`"):
        _ = HYPERPARAMS.optimizer == "adam"


def test_inactive_values_are_refused():
    values = {"optimizer": "adam", "optimizer.nesterov.momentum": 0.9}
    rule = r"`optimizer\.nesterov\.momentum` is active only where .* = 'nesterov', but"
    with pytest.raises(ValueError, match=rule):
        Hyperparams(values)
