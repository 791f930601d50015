"""Definitions of studies drawn by hypothesis: sound ones, and ones with odd values.

A definition is drawn as plain parts, and made by `make`, which may refuse it. The tasks
are of a few numbers, so that what is not refused can be run.
"""

import dataclasses
import traceback
from pathlib import Path

import hypothesis.strategies as st
import jax.numpy as jnp

import tuner
from tuner.study.task import Task

PACKAGE = Path(tuner.__path__[0])
ODD = [-1, 0, 1, 3, 2**31, 2**63, -0.5, 0.5, 1e-46, 1e39, True, None, "", "a", "\ud800"]
ODD += [float("nan"), float("inf"), (1, 2), {}, []]
STEPS = [4, 8, 12]


class Quadratic(Task):
    """Descends a parabola; what else it reports is drawn."""

    def __init__(self, metrics):
        self.metrics = metrics

    def init(self, key, hyperparams):
        return jnp.float32(1.0)

    def step(self, key, hyperparams, state, learning_rate):
        return state - learning_rate * state, {"loss": state**2}

    def evaluate(self, key, hyperparams, state):
        return {"loss": state**2, **self.metrics}


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a study is made of: its own fields, and those of its parts, by name."""

    study: dict
    domains: dict
    rounds: list
    schedule: dict
    metrics: dict


@st.composite
def definitions(draw):
    """Parts of which none, or a few, have another value than they should."""
    parts = Parts(
        study={
            "name": "drawn",
            "eval_every": draw(st.sampled_from([1, 2, 4])),
            "seed": draw(st.integers(0, 2**64 - 1)),
            "sampling": draw(st.sampled_from(["halton", "sobol", "random"])),
            "objective": draw(st.sampled_from(["valid/loss", "valid/other"])),
            "goal": draw(st.text(max_size=8)),
        },
        domains=draw(domains()),
        rounds=draw(rounds()),
        schedule={
            "peak": draw(st.sampled_from([0.1, 1.0, 3.0])),
            "warmup_steps": draw(st.integers(0, 2)),
            "decay_fraction": draw(st.sampled_from([None, 0.0, 0.5, 1.0])),
            "decay": draw(st.sampled_from(["linear", "cosine", "1-sqrt"])),
        },
        metrics={"other": draw(st.sampled_from([0, 0.5, True, float("nan")]))},
    )
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        spoil(draw, parts)
    return parts


def domains():
    """Of one to three hyperparameters, the first of which may be a sub-space."""
    number = st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["Float", "Int"]),
            "low": st.just(1),
            "high": st.sampled_from([1, 2, 9]),
            "log": st.booleans(),
        },
        optional={
            "role": st.sampled_from(["scientific", "nuisance"]),
            "hard": st.sampled_from(["low", "high", "both"]),
            "static": st.just(True),
        },
    )
    choice = st.fixed_dictionaries(
        {
            "kind": st.just("Choice"),
            "values": st.sampled_from([["a"], ["a", "b"], [1, 2], [None, 0.5]]),
        },
        optional={"role": st.sampled_from(["scientific", "nuisance"])},
    )
    fixed = st.fixed_dictionaries(
        {"kind": st.just("fixed"), "value": st.sampled_from([1, 0.5, "a", (1, 2)])}
    )
    names = st.sampled_from(["a", "b", "c"])
    return st.dictionaries(names, st.one_of(number, choice, fixed), max_size=3)


@st.composite
def rounds(draw):
    """One round of new trials, and maybe another that keeps some."""
    first = {
        "max_train_steps": draw(st.sampled_from(STEPS)),
        "trials": draw(st.sampled_from([2, 4])),
    }
    if not draw(st.booleans()):
        return [first]
    second = {
        "max_train_steps": draw(st.sampled_from([16, 24])),
        "keep": draw(st.sampled_from([1, 2])),
        "extend": draw(st.sampled_from(["LengthenConstant", "Stretch"])),
        "control": draw(st.sampled_from([0, 0, 1])),
    }
    return [first, second]


def spoil(draw, parts):
    """Let a field of some part have a value that it may not like."""
    groups = [parts.study, parts.schedule, parts.metrics, *parts.rounds]
    fields = draw(st.sampled_from([*groups, *parts.domains.values()]))
    name = draw(st.sampled_from(sorted(set(fields) - {"kind"})))
    fields[name] = draw(st.sampled_from(ODD))


def make(parts):
    """The study of the parts; or whatever refuses it."""
    rounds_ = [
        tuner.Round(**{**fields, "extend": _extension(fields.get("extend"))})
        for fields in parts.rounds
    ]
    space = {name: _domain(**fields) for name, fields in parts.domains.items()}

    def schedule(hyperparams, max_train_steps):
        options = {n: value for n, value in parts.schedule.items() if n != "peak"}
        peak = parts.schedule["peak"]
        return tuner.warmup_constant_decay(peak, max_train_steps, **options)

    return tuner.Study(
        space=tuner.Space(**space),
        task=Quadratic(parts.metrics),
        schedule=schedule,
        rounds=rounds_,
        **parts.study,
    )


def is_ours(error):
    """Whether a check of the package raised it, of a kind that says so."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    path = Path(innermost.f_code.co_filename)
    return isinstance(error, ValueError | TypeError) and path.is_relative_to(PACKAGE)


def _domain(kind, **fields):
    if kind == "fixed":
        return fields["value"]
    if kind == "Choice":
        values = fields.pop("values")
        is_list = isinstance(values, list)
        return tuner.Choice(*(values if is_list else [values]), **fields)
    low, high = fields.pop("low"), fields.pop("high")
    return {"Float": tuner.Float, "Int": tuner.Int}.get(kind, tuner.Int)(
        low, high, **fields
    )


def _extension(name):
    if name in ("LengthenConstant", "Stretch"):
        return getattr(tuner, name)()
    return name
