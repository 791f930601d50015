"""Rules of our own are registered where a program has what they are about."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from tuner.lanes import lowering


def once(x):
    return lax.conv(x.reshape(1, 1, 4), x[:2].reshape(1, 1, 2), (1,), "SAME")


DEPTHS = {
    "a call": jax.jit(once),
    "a loop": lambda x: lax.fori_loop(0, 3, lambda i, c: c + once(c).ravel(), x),
    "a scan": lambda x: lax.scan(lambda c, _: (c, once(c)), x, length=2)[1],
    "a branch": lambda x: lax.cond(x[0] > 0, once, lambda x: x.reshape(1, 1, 4), x),
    "a gradient": lambda x: jax.grad(lambda x: jax.checkpoint(once)(x).sum())(x),
}


@pytest.mark.parametrize("function", DEPTHS.values(), ids=DEPTHS)
def test_a_primitive_is_found_in(function):
    program = jax.make_jaxpr(function)(jnp.ones(4)).jaxpr
    assert lax.conv_general_dilated_p in lowering.primitives(program)


@pytest.fixture
def registered(monkeypatch):
    """The modules whose rules would be registered."""
    rules = []
    monkeypatch.setattr(lowering, "_register", rules.append)
    return rules


def test_only_rules_for_what_a_program_has_are_registered(registered):
    program = jax.make_jaxpr(lambda x: lax.map(jnp.sin, x @ x))(jnp.eye(3))
    assert lowering.speed_up(program) == ""
    assert registered == [lowering.products]
    assert lowering.speed_up(jax.make_jaxpr(once)(jnp.ones(4))) == ""
    assert registered == [lowering.products, lowering.convolutions]


def test_other_devices_are_left_alone(registered, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert lowering.speed_up(jax.make_jaxpr(once)(jnp.ones(4))) == ""
    assert registered == []
