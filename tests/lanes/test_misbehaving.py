"""User code that misbehaves is answered while it is traced, with its own line."""

import re

import jax.numpy as jnp
import optax
import pytest
import small

import tuner
from tuner.lanes.compilations import compilations
from tuner.rounds.preflight import preflight
from tuner.study.task import Sum, Task


def study_of(**functions):
    space = small.space(activation="tanh")
    return small.study(space=space, task=small.task(**functions))


def returning(make):
    """A loss that returns what is made of the loss and the parameters."""

    def loss(key, hyperparams, params, batch):
        return make(small.loss(key, hyperparams, params, batch)[0], params)

    return {"loss": loss}


def judging(**metrics):
    return {"evaluate": lambda key, hyperparams, params, batch: metrics}


def made(**leaves):
    return {"init": lambda key, hyperparams: small.init(key, hyperparams) | leaves}


SCALAR = "loss must return a scalar float before its metrics, but returns "
REAL = "a metric is a real number, but "
WRONG = {
    "a loss of whole numbers": (
        returning(lambda loss, _: (jnp.int32(3), {})),
        f"{SCALAR}int32[]: take its mean, of whole numbers as floats (.astype",
    ),
    "a number": (returning(lambda loss, _: (3, {})), f"{SCALAR}3: "),
    "nothing": (returning(lambda loss, _: (None, {})), f"{SCALAR}None: "),
    "a vector": (returning(lambda loss, _: (loss[None], {})), f"{SCALAR}float32[1]: "),
    "complex": (returning(lambda loss, _: (loss + 0j, {})), f"{SCALAR}complex64[]: "),
    "no metrics": (
        returning(lambda loss, _: (loss, None)),
        "metrics are a dictionary of scalars, but loss returns a NoneType",
    ),
    "a complex metric": (
        returning(lambda loss, _: (loss, {"a": loss + 1j})),
        f"{REAL}loss returns a of complex64: return a float, of a complex number its",
    ),
    "text": (returning(lambda loss, _: (loss, {"a": "x"})), f"{REAL}loss returns a of"),
    "a tree": (
        returning(lambda loss, _: (loss, {"a": {"b": loss}})),
        f"{REAL}loss returns a of dict",
    ),
    "a name that is none": (
        returning(lambda loss, _: (loss, {1: loss})),
        "a metric's name is a string, but loss returns one that is 1: name it",
    ),
    "a Sum of a step": (
        returning(lambda loss, _: (loss, {"a": Sum(loss)})),
        "a tuner.Sum is added up by a SupervisedTask's evaluation, but step returns",
    ),
    "a judgement in words": (
        judging(error="bad"),
        f"{REAL}evaluate returns error",
    ),
    "a complex judgement": (
        judging(error=1j),
        f"{REAL}evaluate returns error of",
    ),
    "a judgement of two numbers": (
        judging(error=jnp.zeros(2)),
        "a metric is a scalar, but evaluate returns error of shape [2]",
    ),
    "one name for a mean and a total": (
        judging(error=0.0, right=Sum(1.0))
        | {"summarize": lambda totals: {"error": totals["right"]}},
        "a metric has one value, but evaluate and summarize both return 'error'",
    ),
    "nothing summed up": (
        judging(error=0.0, right=Sum(1.0)) | {"summarize": lambda totals: None},
        "metrics are a dictionary of scalars, but summarize returns a NoneType",
    ),
    "whole numbers as parameters": (
        made(n=jnp.int32(1)),
        "parameters are floats, for the loss is differentiated with respect to all of "
        "them, but ['n'] is int32[]: return tuner.Variables(params, extra)",
    ),
    "text as parameters": (made(n="x"), "of them, but ['n'] is 'x': return tuner.Var"),
    "no optimizer": (
        {"optimizer": lambda hyperparams, learning_rate: None},
        "optimizer must return an optax.GradientTransformation, but returns None",
    ),
}


@pytest.mark.parametrize(("functions", "rule"), WRONG.values(), ids=WRONG.keys())
def test_what_can_never_run_is_refused(functions, rule):
    before = compilations()
    with pytest.raises((TypeError, ValueError), match=re.escape(rule)):
        preflight(study_of(**functions))
    assert compilations() == before


def test_a_name_with_its_set_and_without_is_refused():
    class Twice(Task):
        def init(self, key, hyperparams):
            return jnp.float32(0)

        def step(self, key, hyperparams, state, learning_rate):
            return state, {"loss": state}

        def evaluate(self, key, hyperparams, state):
            return {"loss": state, "valid/loss": state + 1}

    study = small.study(
        space=small.space(activation="tanh"), task=Twice(), objective="valid/loss"
    )
    with pytest.raises(ValueError, match="evaluate returns one with and without: loss"):
        preflight(study)


def divides(*arguments):
    return 1 / 0


def misspelled(hyperparams, learning_rate):
    return optax.adamw(learning_rate, b9=1)


@pytest.mark.parametrize(
    ("where", "function", "line", "kind"),
    [
        *[
            (where, divides, "divides: return 1 / 0", ZeroDivisionError)
            for where in ("init", "loss", "evaluate", "optimizer", "augment")
        ],
        (
            "optimizer",
            misspelled,
            "misspelled: return optax.adamw(learning_rate, b9=1)",
            TypeError,
        ),
    ],
)
def test_an_error_names_the_function_its_line_and_for_whom(where, function, line, kind):
    with pytest.raises(kind) as raised:
        preflight(study_of(**{where: function}))
    *_, note = raised.value.__notes__
    assert note.startswith("Traced for the trials with activation='tanh'")
    assert f"{__file__}:" in note
    assert note.endswith(line)


def test_an_error_in_a_schedule_names_the_trial_and_the_line():
    def schedule(hyperparams, max_train_steps):
        return {}[hyperparams.warmup_steps]

    study = small.study(schedule=schedule)
    with pytest.raises(KeyError) as raised:
        preflight(study)
    (note,) = raised.value.__notes__
    assert note.startswith("In the schedule of trial 0 (activation='relu', learning_r")
    assert note.endswith("in schedule: return {}[hyperparams.warmup_steps]")


def test_a_rule_of_ours_says_where_it_was_broken():
    def loss(key, hyperparams, params, batch):
        return hyperparams.weight_decey, {}

    with pytest.raises(AttributeError, match="did you mean") as raised:
        preflight(study_of(loss=loss))
    *_, note = raised.value.__notes__
    assert note.endswith("in loss: return hyperparams.weight_decey, {}")


# Numbers of other kinds that can be recorded


def test_truths_and_whole_numbers_are_recorded_as_floats(tmp_path):
    """A sum of truths is a count. Of 600 examples, of which 200 are judged."""

    def evaluate(key, hyperparams, params, batch):
        error = small.evaluate(key, hyperparams, params, batch)["error"]
        return {"error": error, "is_good": error < 2, "three": 3, "any": Sum(error < 2)}

    def loss(key, hyperparams, params, batch):
        value, _ = small.loss(key, hyperparams, params, batch)
        return value, {"is_finite": jnp.isfinite(value), "two": 2}

    study = small.study(
        space=small.space(activation="tanh"),
        task=small.task(loss=loss, evaluate=evaluate),
        rounds=[tuner.Round(trials=2, max_train_steps=5)],
    )
    run = tuner.run(study, tmp_path / "run", layout="2x1x2")
    valid, train = run.metrics("valid"), run.metrics("train")
    names = ["valid/is_good", "valid/three", "valid/any"]
    assert valid.select(names).unique().rows() == [(1.0, 3.0, 1.0)]
    assert train.select("train/is_finite", "train/two").unique().rows() == [(1.0, 2.0)]


def test_complex_parameters_have_the_norm_of_both_parts(tmp_path):
    """The loss is |z - 1|^2 at z = i: an update of -2 lr (z - 1) by JAX's convention.

    Its gradient is 2 conj(z - 1), of norm 2 sqrt(2).
    """

    def loss(key, hyperparams, params, batch):
        return jnp.abs(params["z"] - 1).sum() ** 2, {}

    study = small.study(
        space=small.space(activation="tanh"),
        task=small.task(
            init=lambda key, hyperparams: {"z": jnp.array([1j])},
            loss=loss,
            evaluate=lambda key, hyperparams, params, batch: {
                "error": jnp.abs(params["z"] - 1).sum()
            },
            optimizer=lambda hyperparams, learning_rate: optax.sgd(learning_rate),
        ),
        rounds=[tuner.Round(trials=1, max_train_steps=5)],
    )
    run = tuner.run(study, tmp_path / "run", layout="1x1x1")
    norm = run.metrics("train")["train/grad_norm"][0]
    assert norm == pytest.approx(2 * 2**0.5, rel=1e-6)  # float32
    assert run.restore(0)["z"].dtype == jnp.complex64
