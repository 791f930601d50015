"""The same code has the same fingerprint, and other code another."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import small
from jax.extend.core import Primitive

import tuner
from tuner.lanes import convolutions, lowering, products
from tuner.lanes.fingerprints import STATE, fingerprints
from tuner.rounds.groups import by_group, make_group
from tuner.rounds.trials import planned

BIG = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)


def groups(**task):
    """The programs of the small study, one for each activation."""
    study = small.study(task=small.task(**task))
    members = by_group(study, planned(study, 1))
    return {name: make_group(study, trials[0]) for name, trials in members.items()}


def of(**task):
    """Fingerprints of the functions, of the first program."""
    name, group = next(iter(groups(**task).items()))
    return {n: each[name] for n, each in fingerprints({name: group}).items()}


@pytest.fixture(scope="module")
def plain():
    return of()


def differing(one, other):
    return [name for name in one if one[name] != other[name]]


def test_they_are_the_same_in_another_process(plain):
    code = "import test_fingerprints; print(test_fingerprints.of())"
    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        env={
            "PYTHONHASHSEED": "7",
            "JAX_NUM_CPU_DEVICES": "1",
            "PYTHONPATH": ":".join(sys.path),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.strip() == str(plain)


def renamed(key, hyperparams, params, batch):
    """The small loss, part of it in a function of another name and compiled."""

    @jax.jit
    def some_name(params):
        return small.loss(key, hyperparams, params, batch)

    return some_name(params)


def renamed_again(key, hyperparams, params, batch):
    @jax.jit
    def another_name(params):
        return small.loss(key, hyperparams, params, batch)

    return another_name(params)


def test_names_of_inner_functions_do_not_matter():
    assert of(loss=renamed) == of(loss=renamed_again)


def test_a_stop_gradient_is_seen(plain):
    def loss(key, hyperparams, params, batch):
        params = {**params, "b1": jax.lax.stop_gradient(params["b1"])}
        return small.loss(key, hyperparams, params, batch)

    assert differing(plain, of(loss=loss)) == ["loss"]


def test_a_rule_of_differentiation_is_seen():
    def with_gradient(scale):
        @jax.custom_vjp
        def same(x):
            return x

        same.defvjp(lambda x: (x, None), lambda _, g: (scale * g,))

        def loss(key, hyperparams, params, batch):
            params = {**params, "w1": same(params["w1"])}
            return small.loss(key, hyperparams, params, batch)

        return loss

    one, other = of(loss=with_gradient(1.0)), of(loss=with_gradient(2.0))
    assert differing(one, other) == ["loss"]


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.complex64])
def test_a_large_array_that_a_function_closes_over_is_seen(dtype):
    def with_array(array):
        def loss(key, hyperparams, params, batch):
            value, metrics = small.loss(key, hyperparams, params, batch)
            return value + jnp.sum(jnp.real(array) * params["w1"].sum()), metrics

        return loss

    array = BIG.astype(dtype)
    changed = array.copy()
    changed[40, 40] += 1
    same = of(loss=with_array(array.copy()))
    assert of(loss=with_array(array)) == same
    assert differing(same, of(loss=with_array(changed))) == ["loss"]


def test_rules_of_lowering_that_a_program_has_brought_do_not_matter():
    def loss(key, hyperparams, params, batch):
        value, metrics = small.loss(key, hyperparams, params, batch)
        images = batch[0].reshape(-1, 1, 8, 8)
        kernel = params["w1"].reshape(4, 1, 4, 64)[..., :4]
        out = jax.lax.conv(images, kernel, (1, 1), "SAME")
        out = jnp.einsum("btc,co->bto", out.reshape(len(images), 4, -1), params["w1"])
        return value + jnp.square(out).mean(), metrics

    with pytest.MonkeyPatch.context() as patch:
        for rule in (convolutions, products):
            patch.setattr(rule, "lower", rule.lower_plainly)
        before = of(loss=loss)
    for rule in lowering.RULES:
        lowering._register(rule)
    assert of(loss=loss) == before


def test_what_programs_do_not_differ_in_is_traced_once():
    traced = []

    def counted(name, function):
        def call(*arguments):
            traced.append(name)
            return function(*arguments)

        return call

    functions = ("init", "loss", "evaluate", "optimizer")
    task = {name: counted(name, getattr(small, name)) for name in functions}
    two = groups(**task)
    traced.clear()
    found = fingerprints(two)
    times = {name: traced.count(name) for name in functions}
    # An optimizer is asked twice, for its state and for an update.
    assert times == {"init": 1, "loss": 2, "evaluate": 2, "optimizer": 2}
    for name in ("init", "optimizer", STATE):
        assert len(set(found[name].values())) == 1
    assert len(set(found["loss"].values())) == 2


def test_a_kernel_that_is_none_of_a_cpu_is_known_by_its_jaxpr():
    kernel = Primitive("kernel")
    kernel.def_abstract_eval(lambda x, **_: x)

    def with_kernel(power):
        def evaluate(key, hyperparams, params, batch):
            metrics = small.evaluate(key, hyperparams, params, batch)
            return {**metrics, "more": kernel.bind(metrics["loss"], power=power)}

        return evaluate

    one = of(evaluate=with_kernel(1))
    assert of(evaluate=with_kernel(1)) == one
    assert differing(one, of(evaluate=with_kernel(2))) == ["evaluate"]


class Counting(tuner.Task):
    """A task of the user's own, whose data its step reads."""

    def __init__(self, data):
        self.data = data

    def init(self, key, hyperparams):
        return jnp.zeros(3)

    def step(self, key, hyperparams, state, learning_rate):
        return state + learning_rate * self.data, {"loss": state.sum()}

    def evaluate(self, key, hyperparams, state):
        return {"error": state.sum()}


def own(task):
    study = small.study(task=task)
    trials = list(planned(study, 1))
    return fingerprints({"all": make_group(study, trials[0])})


def test_a_task_of_ones_own_is_known_by_its_methods_and_not_by_its_data():
    class Slower(Counting):
        def step(self, key, hyperparams, state, learning_rate):
            return super().step(key, hyperparams, state, learning_rate / 2)

    one = own(Counting(np.ones(3, np.float32)))
    assert list(one) == ["init", "step", "evaluate", STATE]
    assert own(Counting(np.zeros(3, np.float32))) == one
    assert differing(one, own(Slower(np.ones(3, np.float32)))) == ["step"]
