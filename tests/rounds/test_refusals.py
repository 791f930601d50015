"""A refused study runs nothing: an error, nothing compiled, nothing on disk."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

import tuner
from tuner.lanes.compilations import compilations
from tuner.lanes.layout import Layout
from tuner.rounds.definition import OtherStudyError, check_same, definition
from tuner.store.reader import read_definition
from tuner.store.writer import Writer

FIRST = tuner.Round(trials=4, max_train_steps=20)
SIX = tuner.Round(trials=6, max_train_steps=20)
LONGER = tuner.LengthenConstant()


@pytest.fixture
def refused(tmp_path):
    """Runs what `make` makes, which the error refuses by the rule."""

    def refuse(error, rule, make, **options):
        directory, before = tmp_path / "runs" / "refused", compilations()
        with pytest.raises(error, match=re.escape(rule)):
            tuner.run(make(), directory, **options)
        assert compilations() == before
        assert list(tmp_path.iterdir()) == []

    return refuse


@pytest.fixture
def refused_task(refused):
    """The same for a small study with some of its task's functions changed."""

    def refuse(error, rule, space=None, **functions):
        refused(
            error,
            rule,
            lambda: small.study(
                space=space or small.space(), task=small.task(**functions)
            ),
        )

    return refuse


# The space


def test_a_range_upside_down(refused):
    rule = "`low < high` must hold, but got (low=3.0, high=1.0)"
    refused(
        ValueError, rule, lambda: small.study(space=small.space(b=tuner.Float(3, 1)))
    )


def test_a_logarithmic_scale_from_zero(refused):
    rule = "`low > 0` must hold on a log scale, but got (low=0.0): begin at a positive "
    refused(
        ValueError,
        rule,
        lambda: small.study(space=small.space(b=tuner.Float(0, 1, log=True))),
    )


def test_an_unknown_way_of_sampling(refused):
    rule = "unknown sampling method 'haltn': did you mean 'halton'? Known: 'halton', "
    refused(ValueError, rule, lambda: small.study(sampling="haltn"))


def test_a_grid_in_three_dimensions(refused):
    rule = "a grid is for at most two searched dimensions, but got 3: use sampling="
    refused(ValueError, rule, lambda: small.study(sampling="grid"))


# The rounds


def with_rounds(*rounds):
    return lambda: small.study(rounds=rounds)


def test_trials_that_cannot_be_shared_evenly(refused):
    rule = (
        "trials is shared evenly by the 2 scientific combinations, but got trials=5 in "
        "round 1: 4 or 6 would do"
    )
    refused(ValueError, rule, with_rounds(tuner.Round(trials=5, max_train_steps=20)))


def test_more_kept_than_there_were(refused):
    rule = (
        "`keep <= trials of the round before` must hold, but got (keep=6, trials=4) in "
        "round 2"
    )
    second = tuner.Round(keep=6, max_train_steps=40, extend=LONGER)
    refused(ValueError, rule, with_rounds(FIRST, second))


def test_trials_kept_by_the_first_round(refused):
    rule = "the first round has no earlier trials to keep, but got keep=2: use trials="
    first = tuner.Round(keep=2, max_train_steps=40, extend=LONGER)
    refused(ValueError, rule, with_rounds(first))


def test_trials_kept_without_a_rule(refused):
    rule = (
        "keep= and extend= go together, but got (keep=2, extend=None): pass "
        "extend=tuner.LengthenConstant()"
    )
    refused(
        ValueError,
        rule,
        lambda: small.study(rounds=[FIRST, tuner.Round(keep=2, max_train_steps=40)]),
    )


def test_a_horizon_no_longer_than_the_last(refused):
    rule = (
        "each round must be longer than the one before, unless it repeats trials with "
        "seeds= and no extend=, but got max_train_steps=20 after 20"
    )
    second = tuner.Round(keep=2, max_train_steps=20, extend=LONGER)
    refused(ValueError, rule, with_rounds(FIRST, second))


def test_evaluations_that_do_not_divide_a_horizon(refused):
    rule = (
        "eval_every must divide every max_train_steps, but got (eval_every=5, "
        "max_train_steps=42) in round 2: 40 or 45 would do"
    )
    second = tuner.Round(keep=2, max_train_steps=42, extend=LONGER)
    refused(ValueError, rule, with_rounds(FIRST, second))


# The schedules


def with_schedule(schedule, *rounds):
    return lambda: small.study(schedule=schedule, rounds=rounds or [FIRST])


def decay_of_17(hyperparams, max_train_steps):
    """Leaves room for three steps of warm-up in 20."""
    return tuner.warmup_constant_decay(
        hyperparams.learning_rate,
        max_train_steps,
        warmup_steps=hyperparams.warmup_steps,
        decay_steps=17,
    )


def test_a_decay_longer_than_the_horizon(refused):
    rule = (
        "`warmup_steps + decay_steps <= max_train_steps` must hold, but got "
        "(warmup_steps=5, decay_steps=17, max_train_steps=20)"
    )
    refused(ValueError, rule, with_schedule(decay_of_17, SIX))


def test_the_trial_is_named_whose_schedule_cannot_be(refused):
    rule = "the schedule of trial 4 (activation='relu', learning_rate=0.00161"
    refused(ValueError, rule, with_schedule(decay_of_17, SIX))


def test_a_schedule_without_phases_to_lengthen(refused):
    def schedule(hyperparams, max_train_steps):
        return lambda count: hyperparams.learning_rate

    second = tuner.Round(keep=2, max_train_steps=40, extend=LONGER)
    rule = "only a tuner.Schedule has phases to lengthen, but got <function"
    refused(TypeError, rule, with_schedule(schedule, FIRST, second))


def test_an_extension_that_a_later_round_cannot_make(refused):
    """Of 60 steps, a decay of 50 leaves 8 for a constant phase that has 28 before."""
    second = tuner.Round(keep=2, max_train_steps=40, extend=LONGER)
    third = dataclasses.replace(
        second, max_train_steps=60, extend=tuner.LengthenConstant(decay_steps=50)
    )
    rule = "extending trial 0 (activation='relu', learning_rate="
    refused(ValueError, rule, with_schedule(small.schedule, FIRST, second, third))


def test_schedules_of_different_names(refused):
    def schedule(hyperparams, max_train_steps):
        other = "momentum" if hyperparams.learning_rate > 1e-2 else "dropout"
        rate = small.schedule(hyperparams, max_train_steps)
        return {"learning_rate": rate, other: rate}

    rule = (
        "trials of one program must have the same schedules, but got ['dropout', "
        "'learning_rate'] for trial 0 and ['learning_rate', 'momentum'] for trial 2: "
        "return every name for every trial"
    )
    refused(ValueError, rule, with_schedule(schedule))


def test_schedules_without_a_learning_rate(refused):
    rule = (
        "a dictionary of schedules must have the entry 'learning_rate', but has 'rate'"
    )
    refused(
        ValueError,
        rule,
        with_schedule(lambda *trial: {"rate": small.schedule(*trial)}),
    )


# The data


def test_a_batch_larger_than_the_data(refused_task):
    rule = (
        "`1 <= batch_size <= number of training examples` must hold, but got "
        "(batch_size=601, examples=600)"
    )
    refused_task(ValueError, rule, batch_size=601)


def test_a_batch_size_declared_twice(refused_task):
    rule = (
        "the batch size is the task's or the space's, not both, but got batch_size=32 "
        "in the task and batch_size in the space: remove one"
    )
    refused_task(ValueError, rule, space=small.space(batch_size=16))


def test_a_batch_size_declared_nowhere(refused_task):
    rule = "needs a batch size: pass batch_size= to the task, or declare batch_size in"
    refused_task(ValueError, rule, batch_size=None)


def test_data_with_nan_is_warned_of():
    """The warning, an error here, comes before anything runs."""
    pixels = small.PIXELS.copy()
    pixels[3, :5] = np.nan
    rule = f"5 of the data's {pixels.size} numbers are NaN: every trial that sees one"
    with pytest.warns(UserWarning, match=re.escape(rule)):
        tuner.Arrays(pixels, small.LABELS)


# The task's functions


def test_an_unknown_hyperparameter(refused_task):
    def loss(key, hyperparams, params, batch):
        return hyperparams.weight_decey, {}

    rule = "unknown hyperparameter 'weight_decey': did you mean 'weight_decay'?"
    refused_task(AttributeError, rule, loss=loss)


def test_a_traced_number_as_a_shape(refused_task):
    def init(key, hyperparams):
        params = small.init(key, hyperparams)
        return params | {"b1": jnp.zeros(hyperparams.width)}

    rule = "width must be declared static=True: it is used as a shape or in an `if`"
    space = small.space(width=tuner.Int(16, 17))
    refused_task(TypeError, rule, space=space, init=init)


def test_a_traced_number_in_an_if(refused_task):
    def loss(key, hyperparams, params, batch):
        if hyperparams.weight_decay > 1e-3:
            params = jax.tree.map(jnp.zeros_like, params)
        return small.loss(key, hyperparams, params, batch)

    rule = "weight_decay must be declared static=True: it is used as a shape or in an"
    refused_task(TypeError, rule, loss=loss)


def test_an_objective_that_no_evaluation_returns(refused):
    rule = (
        "the objective must be a metric that an evaluation returns, but got "
        "'valid/accuracy'; there are: valid/error, valid/loss"
    )
    refused(ValueError, rule, lambda: small.study(objective="valid/accuracy"))


def test_a_metric_that_is_no_scalar(refused_task):
    def loss(key, hyperparams, params, batch):
        mean, _ = small.loss(key, hyperparams, params, batch)
        return mean, {"labels": batch[1]}

    rule = "a metric is a scalar, but loss returns labels of shape [32]: take its mean"
    refused_task(ValueError, rule, loss=loss)


class Counting(tuner.study.task.Task):
    """Counts its steps."""

    def init(self, key, hyperparams):
        return jnp.int32(0)

    def step(self, key, hyperparams, state, learning_rate):
        return state + 1, {"loss": learning_rate}

    def evaluate(self, key, hyperparams, state):
        return {"error": state}


def test_a_step_that_changes_the_type_of_its_state(refused):
    class Halving(Counting):
        def step(self, key, hyperparams, state, learning_rate):
            return state / 2, {"loss": learning_rate}

    rule = (
        "a step must carry on the state that init makes, but state is int32[] after "
        "init and float32[] after a step: return it as it came, by .astype"
    )
    refused(TypeError, rule, lambda: small.study(task=Halving()))


def test_a_step_that_reports_no_loss(refused):
    class Silent(Counting):
        def step(self, key, hyperparams, state, learning_rate):
            return state + 1, {"rate": learning_rate}

    rule = (
        "a step's metrics must hold `loss`, which tells a broken trial, but got rate: "
        "return it with them"
    )
    refused(ValueError, rule, lambda: small.study(task=Silent()))


# The layout


def test_a_layout_that_cannot_be_read(refused):
    rule = (
        'a layout is written devices x chunks x width, "2x8x4", or with the devices '
        "that split a batch, \"2x8x4x2\", but got '2x8'"
    )
    refused(ValueError, rule, small.study, layout="2x8")


def test_a_layout_of_nothing(refused):
    rule = "a layout's numbers must be at least 1, but got 1x0x4"
    refused(ValueError, rule, small.study, layout="1x0x4")


def test_a_layout_of_more_devices_than_there_are(refused):
    rule = (
        "the layout 64x1x1 needs 64 devices, but JAX sees 2; on CPU set "
        "JAX_NUM_CPU_DEVICES=64 before starting"
    )
    refused(ValueError, rule, small.study, layout=Layout(64, 1, 1))


# The directory


@pytest.fixture
def another(tmp_path):
    """The directory of another study than `small.study()`, begun with its options."""

    def begin(**changes):
        directory = tmp_path / "another"
        with Writer(directory) as writer:
            said = definition(small.study(**changes), {})
            writer.write_definition(said | {"layouts": {}})
        return directory

    return begin


DIFFERENCES = [
    ({"seed": 4}, "seed (4, now 3)"),
    (
        {"space": small.space(weight_decay=tuner.Float(1e-6, 0.2, log=True))},
        "space.weight_decay.high (0.2, now 0.1)",
    ),
    (
        {"task": small.task(valid=tuner.Arrays(small.PIXELS, small.LABELS))},
        "the data",
    ),
    ({"seed": 4, "eval_every": 10}, "eval_every (10, now 5); seed (4, now 3)"),
]


@pytest.mark.parametrize(("changes", "difference"), DIFFERENCES)
def test_a_directory_of_another_study(another, changes, difference):
    directory, compiled = another(**changes), compilations()
    before = (directory / "study.json").read_text()
    rule = (
        f"{directory} belongs to another study; it differs in {difference}: give this "
        "study a directory of its own, or begin anew there, with --restart "
        "(restart=True), and the run so far is moved aside"
    )
    with pytest.raises(OtherStudyError, match=re.escape(rule)):
        tuner.run(small.study(), directory)
    assert (directory / "study.json").read_text() == before
    assert compilations() == compiled


def longer(schedule, max_train_steps):
    """A rule of the user's own; the refusal can only name it."""
    return tuner.LengthenConstant()(schedule, max_train_steps)


ROUNDS = [
    (tuner.Round(trials=12, max_train_steps=25), "trials=12"),
    (
        tuner.Round(keep=4, max_train_steps=40, extend=tuner.Stretch(), across="all"),
        "keep=4, across='all', extend=tuner.Stretch()",
    ),
    (
        tuner.Round(
            keep=2,
            max_train_steps=60,
            extend=tuner.LengthenConstant(decay_steps=5),
        ),
        "keep=2, extend=tuner.LengthenConstant(decay_steps=5)",
    ),
    (
        tuner.Round(keep=2, max_train_steps=80, extend=longer),
        "keep=2, extend=longer",
    ),
]


def test_other_rounds_are_told_of_those_to_begin_with(another):
    """As after a promotion, when another process knows the study's own rounds only."""
    rounds = [round_ for round_, _ in ROUNDS]
    directory, compiled = another(rounds=rounds), compilations()
    lines = ", ".join(
        f"tuner.Round(max_train_steps={round_.max_train_steps}, {rest})"
        for round_, rest in ROUNDS
    )
    rule = (
        f"{directory} has other rounds than this study; it differs in "
        "rounds[3].max_train_steps (80, now 90): begin with those it has, "
        f"rounds=[{lines}], or give this study a directory of its own"
    )
    rounds[3] = dataclasses.replace(rounds[3], max_train_steps=90)
    study = small.study(rounds=rounds)
    with pytest.raises(OtherStudyError, match=re.escape(rule)):
        tuner.run(study, directory)
    assert compilations() == compiled


POINT = {
    "activation": "relu",
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "warmup_steps": 0,
    "sizes": (16, 32),
}
SAME = {
    "unchanged": {},
    "another goal": {"goal": "Another question."},
    "fewer rounds": {"rounds": [tuner.Round(trials=12, max_train_steps=20)]},
}


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME.keys())
def test_a_directory_of_the_study_is_its_own(another, changes):
    directory = another(**changes)
    new = definition(small.study(), {})
    check_same(read_definition(directory), new, directory)


def test_a_study_of_tuples_is_the_one_that_was_written(another):
    """JSON, which has no tuples, gives lists back."""
    changes = {
        "space": small.space(sizes=(8, 8)),
        "rounds": [tuner.Round(points=[POINT], max_train_steps=20)],
    }
    directory = another(**changes)
    new = definition(small.study(**changes), {})
    check_same(read_definition(directory), new, directory)
