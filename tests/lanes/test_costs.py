"""FLOPs, against counts by hand: [m, k] times [k, n] is 2 m k n."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from tuner.lanes.compilations import compilations
from tuner.lanes.costs import costs, flops
from tuner.lanes.layout import Layout
from tuner.lanes.program import Program
from tuner.rounds.groups import make_group
from tuner.rounds.preflight import preflight

X, W = np.ones((8, 16), np.float32), np.ones((16, 16), np.float32)
PRODUCT = 2 * 8 * 16 * 16


def scanned(x, times):
    return jax.lax.scan(lambda x, _: (x @ W, None), x, None, length=times)[0]


def scanned_twice(x):
    return jax.lax.scan(lambda x, _: (scanned(x, 5), None), x, None, length=3)[0]


def switched(x):
    return jax.lax.cond(x[0, 0] > 0, lambda x: scanned(x, 4), lambda x: x, x)


# Each against the products in it; loops add a few FLOPs of their own a pass.
PROGRAMS = [
    (lambda x: x @ W, 1),
    (lambda x: scanned(x, 7), 7),
    (scanned_twice, 15),
    (jax.jit(lambda x: scanned(x, 7)), 7),
    (jax.checkpoint(lambda x: scanned(x, 7)), 7),
    (switched, 4),
    (jax.vmap(lambda row: scanned(row, 7)), 7),
    (lambda x: jax.lax.fori_loop(0, 6, lambda _, x: x @ W, x), 6),
]


@pytest.mark.parametrize(("function", "products"), PROGRAMS)
def test_loops_count_by_their_lengths(function, products):
    assert flops(function, X) // PRODUCT == products


def test_xla_itself_counts_a_loop_once():
    """Why the module exists: where this changes, it can be done away with."""
    compiled = jax.jit(lambda x: scanned(x, 7)).lower(X).compile()
    assert compiled.cost_analysis()["flops"] // PRODUCT == 1


HIDDEN, BATCH, EXAMPLES = 64, 32, 200
WEIGHTS = 64 * HIDDEN + HIDDEN * 10


def init(key, hyperparams):
    return {
        "w1": jnp.ones((64, HIDDEN)),
        "b1": jnp.zeros(HIDDEN),
        "w2": jnp.ones((HIDDEN, 10)),
    }


@pytest.fixture(scope="module")
def group():
    study = small.study(task=small.task(init=init))
    return make_group(study, preflight(study).rounds[0][0])


@pytest.fixture(scope="module")
def counted(group):
    program = Program(group, Layout(1, 1, 1))
    return costs(group, program.like, program.lane_type)


def test_a_step_is_three_times_its_forward_pass_but_for_the_first_layer(counted):
    """Backward, the weights' gradients and the inputs', of which the digits need none.

    The rest is elementwise, above all AdamW's twenty operations a weight.
    """
    products = 2 * BATCH * (3 * WEIGHTS - 64 * HIDDEN)
    elementwise = counted.tick - products
    assert 0 < elementwise < 40 * (WEIGHTS + BATCH * HIDDEN)


def test_an_evaluation_is_a_forward_pass_of_every_example(counted):
    products = 2 * EXAMPLES * WEIGHTS
    elementwise = counted.evaluation - products
    assert 0 < elementwise < 20 * EXAMPLES * HIDDEN


def test_costs_compile_nothing(group):
    program = Program(group, Layout(1, 1, 1))
    before = compilations()
    costs(group, program.like, program.lane_type)
    assert compilations() == before


def test_micro_batches_and_their_update_make_a_step(group, counted):
    """Four parts of 8 examples and an update against one step of 32."""
    parts = dataclasses.replace(group, micro_batch_size=BATCH // 4)
    program = Program(parts, Layout(1, 1, 1))
    micro = costs(parts, program.like, program.lane_type)
    products = 2 * BATCH // 4 * (3 * WEIGHTS - 64 * HIDDEN)
    assert 0 < micro.tick - products < 20 * (WEIGHTS + BATCH // 4 * HIDDEN)
    assert 4 * micro.tick + micro.update == pytest.approx(
        counted.tick,
        rel=0.02,  # means of four losses, and gradients' sums
    )
    assert micro.evaluation == counted.evaluation
