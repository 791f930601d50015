"""Convolutions on CPU: one form inside of loops, and the same numbers as before."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small
from displays import Told
from jax import lax
from lowerings import as_in_jax, lower_by

import tuner
from tuner.lanes import convolutions, lowering
from tuner.lanes.layout import Layout
from tuner.lanes.program import Program
from tuner.rounds.groups import make_group
from tuner.rounds.trials import planned

# As JAX registers it.
PLAIN = functools.partial(convolutions.plain, expand_complex_convolutions=True)


@pytest.fixture
def by_jax():
    with as_in_jax(convolutions.PRIMITIVE, PLAIN):
        yield


def convolve(images, kernel, **options):
    numbers = {3: ("NWC", "WIO", "NWC"), 4: ("NHWC", "HWIO", "NHWC")}[images.ndim]
    defaults = {
        "window_strides": (1,) * (images.ndim - 2),
        "padding": "SAME",
        "dimension_numbers": numbers,
    }
    return lax.conv_general_dilated(images, kernel, **(defaults | options))


# The training program of a small network


def init(key, hyperparams):
    first, second = jax.random.split(key)
    return {
        "first": 0.3 * jax.random.normal(first, (3, 3, 1, 4)),
        "second": 0.1 * jax.random.normal(second, (3, 3, 4, 10)),
    }


def loss(key, hyperparams, params, batch):
    pixels, labels = batch
    hidden = jax.nn.relu(convolve(pixels.reshape(-1, 8, 8, 1), params["first"]))
    logits = convolve(hidden, params["second"], window_strides=(2, 2)).mean((1, 2))
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses.mean(), {"error": (logits.argmax(-1) != labels).mean()}


def evaluate(key, hyperparams, params, batch):
    mean, metrics = loss(key, hyperparams, params, batch)
    return {"loss": mean, **metrics}


STUDY = small.study(
    space=tuner.Space(
        learning_rate=tuner.Float(1e-3, 1e-1, log=True),
        weight_decay=0.0,
        warmup_steps=0,
    ),
    task=small.task(init=init, loss=loss, evaluate=evaluate),
    rounds=[tuner.Round(trials=2, max_train_steps=4)],
    eval_every=2,
)


def orders(compiled):
    """The orders of the dimensions of a program's convolutions, which has a loop."""
    text = compiled.as_text()
    assert " while(" in text
    return set(re.findall(r" convolution\(.*dim_labels=([^ ,]+)", text))


def compiled_segment():
    program = Program(make_group(STUDY, next(planned(STUDY, 1))), Layout(2, 1, 2))
    program.compile()
    return program._compiled["advance"]


def test_a_segments_convolutions_are_in_order(by_jax):
    assert orders(compiled_segment()) == {"b01f_01io->b01f"}


def test_by_themselves_they_are_not(by_jax, monkeypatch):
    monkeypatch.setattr(lowering, "speed_up", lambda program: "")
    assert len(orders(compiled_segment())) > 1


def test_without_the_private_name_they_are_slow_and_a_note_says_so(
    by_jax, monkeypatch, tmp_path
):
    monkeypatch.setattr(convolutions, "plain", None)
    display = Told()
    run = tuner.run(STUDY, tmp_path / "run", layout="2x1x1", display=display)
    assert run.status == "complete"
    (note,) = display.notes
    assert convolutions.PRIVATE_NAME in note
    assert note.endswith("they will be slow")


# The numbers

IMAGES, KERNEL = (4, 6, 5, 4), (3, 2, 4, 6)
CASES = {
    # images, kernel, options
    "1-D": ((4, 9, 3), (3, 3, 5), {}),
    "2-D": (IMAGES, KERNEL, {}),
    "features first": (
        (4, 4, 6, 5),
        (6, 4, 3, 2),
        {"dimension_numbers": ("NCHW", "OIHW", "NCHW")},
    ),
    "strides and holes": (
        IMAGES,
        KERNEL,
        {"window_strides": (2, 3), "rhs_dilation": (2, 1)},
    ),
    "transposed": (
        IMAGES,
        KERNEL,
        {"lhs_dilation": (2, 3), "padding": ((1, 1), (1, 2))},
    ),
    "two groups": (IMAGES, (3, 2, 2, 6), {"feature_group_count": 2}),
    "depthwise": (IMAGES, (3, 2, 1, 4), {"feature_group_count": 4}),
    "a share of the batch": (IMAGES, KERNEL, {"batch_group_count": 2}),
    "many groups": ((4, 6, 5, 40), (3, 2, 2, 20), {"feature_group_count": 20}),
}


def value_and_gradients(images, kernel, options):
    """Of one lane, and of three under `vmap`."""

    def of_one(images, kernel):
        out, pull = jax.vjp(lambda *a: convolve(*a, **options), images, kernel)
        return out, pull(jnp.cos(out))

    def of_all(images, kernel):
        one = jax.tree.map(lambda a: a[0], (images, kernel))
        return of_one(*one), jax.vmap(of_one)(images, kernel)

    return jax.jit(of_all)(images, kernel)


@pytest.mark.parametrize(("images", "kernel", "options"), CASES.values(), ids=CASES)
def test_the_numbers_are_those_of_jax(by_jax, images, kernel, options):
    random = np.random.default_rng(0)
    arrays = [
        random.normal(size=(3, *shape)).astype(np.float32) for shape in (images, kernel)
    ]
    expected = value_and_gradients(*arrays, options)
    lower_by(convolutions)
    got = value_and_gradients(*arrays, options)
    for ours, theirs in zip(*map(jax.tree.leaves, (got, expected)), strict=True):
        # Sums of up to some hundred products, in another order.
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_complex_numbers_are_those_of_jax(by_jax):
    """JAX makes several convolutions of a complex one."""
    random = np.random.default_rng(0)
    images, kernel = (
        (random.normal(size=shape) + 1j * random.normal(size=shape)).astype("complex64")
        for shape in (IMAGES, KERNEL)
    )
    expected = jax.jit(lambda *a: convolve(*a))(images, kernel)
    lower_by(convolutions)
    got = jax.jit(lambda *a: convolve(*a))(images, kernel)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)  # other order
