"""Batches seen in parts: sizes that share a program, and batches that devices share."""

import dataclasses

import numpy as np
import pytest
import small
from training import Outcome, compiled, group_and_trials, jobs_of, train

import tuner
from tuner.lanes.alone import train_alone
from tuner.lanes.engine import Engine
from tuner.lanes.layout import Layout
from tuner.lanes.program import Program
from tuner.lanes.trial import check_parts
from tuner.rounds.groups import make_job
from tuner.rounds.trials import planned

SIZES = (16, 32, 64)


def init(key, hyperparams):
    return tuner.Variables(small.init(key, hyperparams), np.zeros(10, np.float32))


def loss(key, hyperparams, variables, batch):
    mean, metrics = small.loss(key, hyperparams, variables.params, batch)
    share = (batch[1][:, None] == np.arange(10)).mean(0)
    return mean, metrics, share


def evaluate(key, hyperparams, variables, batch):
    return small.evaluate(key, hyperparams, variables.params, batch)


def study(**changes):
    """Each update adds the batch's shares of the classes to a state of its own."""
    task = small.task(
        init=init,
        loss=loss,
        evaluate=evaluate,
        advance=lambda hyperparams, extra, tally: extra + tally,
        **changes,
    )
    sizes = {} if task.batch_size else {"batch_size": tuner.Choice(*SIZES)}
    space = small.space(activation="relu", warmup_steps=0, **sizes)
    return small.study(
        space=space,
        task=task,
        rounds=[tuner.Round(trials=9, max_train_steps=20)],
    )


@dataclasses.dataclass
class Mixed:
    """Nine trials of three sizes that trained together."""

    declared: tuner.Study
    program: Program
    trials: list
    jobs: list
    outcome: Outcome


@pytest.fixture(scope="module")
def mixed():
    declared = study(batch_size="traced")
    program, trials = compiled(declared, Layout(2, 2, 2))
    jobs = jobs_of(declared, trials)
    return Mixed(declared, program, trials, jobs, train(program, jobs))


def test_best_states_that_lanes_do_not_carry_are_copied_out(mixed):
    """A trial is evaluated at the end of some calls only, each at its own."""
    group = dataclasses.replace(mixed.program.group, best_in_lane=False)
    program = Program(group, mixed.program.layout)
    program.compile()
    outcome = train(program, mixed.jobs)
    assert outcome.curves == mixed.outcome.curves
    for trial in outcome.steps:
        _, carried = mixed.outcome.states[trial, "end"]
        step, best = outcome.states[trial, "best"]
        assert step == carried["best_step"]
        assert best.keys() == {name for name in carried if name.startswith("best")}
        assert all(np.array_equal(leaf, carried[name]) for name, leaf in best.items())


def test_sizes_share_one_program_and_all_make_their_steps(mixed):
    assert {t.hyperparams["batch_size"] for t in mixed.trials} == set(SIZES)
    assert mixed.declared.micro_batch_size == 16
    assert mixed.program.traces["advance"] == 1
    for trial, steps in mixed.outcome.steps.items():
        assert steps == list(range(1, 21))
        assert len(mixed.outcome.valid[trial]) == 4


def test_a_trial_is_the_same_bits_among_batches_of_other_sizes(mixed):
    for job in mixed.jobs[:4]:
        alone = train(mixed.program, [job])
        assert alone.curves[job.trial] == mixed.outcome.curves[job.trial]


def agree_after_a_step(one, other):
    """To rounding, after one step from one state: the sums are in another order.

    The second loss is that after one update. What classes the batches had depends on no
    parameter, so all of its sum must agree: that of half a batch would not.
    """
    for trial, metrics in one.train.items():
        theirs = other.train[trial]
        for name, values in metrics.items():
            np.testing.assert_allclose(values[:1], theirs[name][:1], rtol=2e-6)
        np.testing.assert_allclose(metrics["loss"][:2], theirs["loss"][:2], rtol=2e-6)
        classes, others = (
            outcome.states[trial, "end"][1]["state.variables.extra"]
            for outcome in (one, other)
        )
        np.testing.assert_allclose(classes, others, rtol=1e-5)  # twenty sums


def trained(layout, **changes):
    """Two trials at a batch size of 64, unless it is another."""
    declared = study(**({"batch_size": 64} | changes))
    program, trials = compiled(declared, layout)
    return train(program, jobs_of(declared, trials[:2]))


@pytest.fixture(scope="module")
def whole():
    return trained(Layout(1, 1, 2))


def test_a_step_in_parts_is_the_step_in_one_piece(whole):
    agree_after_a_step(whole, trained(Layout(1, 1, 2), micro_batch_size=16))


def test_devices_that_share_a_batch_make_the_step_of_one(whole):
    agree_after_a_step(whole, trained(Layout(1, 1, 2, 2)))


def test_devices_that_share_micro_batches_make_the_step_of_one(whole):
    agree_after_a_step(whole, trained(Layout(1, 1, 2, 2), micro_batch_size=32))


def test_micro_batches_equal_a_trial_alone(mixed):
    job = mixed.jobs[1]
    alone = train_alone(mixed.program.group, job, steps=3)
    # Lanes are a vmap of two: sums in another order, three steps of it.
    np.testing.assert_allclose(
        [metrics["loss"] for _, metrics, _ in alone],
        mixed.outcome.losses(job.trial)[:3],
        rtol=1e-5,
    )


def test_a_run_goes_on_within_a_step(mixed):
    """A snapshot between two micro-batches of a step continues it."""
    trial = next(t for t in mixed.trials if t.hyperparams["batch_size"] == 64)
    engine = Engine(mixed.program)
    engine.submit(jobs_of(mixed.declared, [trial]))
    losses, state = [], None
    while state is None:
        called = engine.advance(copy=True)
        if called is None:
            continue
        losses += called.train["loss"][0, called.kept[0]].tolist()
        for copied in (c for c in called.copied if c.what == "running"):
            row = {n: a[0] for n, a in copied.arrays.items()}
            if row["pending.ticks"] > 0:
                state, step = row, copied.steps[0]
    assert len(losses) == step
    job = make_job(mixed.declared, trial, start_step=step, trained=state)
    assert job.start_tick == step * 4 + state["pending.ticks"]
    losses += train(mixed.program, [job]).losses(trial.trial)
    assert losses == mixed.outcome.losses(trial.trial)


REFUSED = [
    ({"batch_size": "traced", "micro_batch_size": 24}, "must divide every batch size"),
    ({"batch_size": 32, "micro_batch_size": 5}, "must divide every batch size"),
    ({"batch_size": "mixed"}, 'batch_size must be a number, or "traced"'),
]


@pytest.mark.parametrize(("changes", "rule"), REFUSED)
def test_other_micro_batches_are_refused(changes, rule):
    with pytest.raises(ValueError, match=rule):
        study(**changes)


def test_a_range_of_sizes_cannot_share_a_program():
    declared = study(batch_size="traced")
    space = declared.space.replace(batch_size=tuner.Int(16, 64))
    with pytest.raises(ValueError, match=r"list them, tuner\.Choice"):
        dataclasses.replace(declared, space=space)


def test_batches_that_do_not_divide_are_not_split():
    group, _ = group_and_trials(study(batch_size=25))
    check_parts(group, Layout(1, 1, 2))
    with pytest.raises(ValueError, match=r"must divide .* \(parts=2, examples=25\)"):
        check_parts(group, Layout(1, 1, 2, 2))


def test_a_task_that_takes_no_parts_is_not_split():
    group, _ = group_and_trials(study(batch_size=32))
    with pytest.raises(ValueError, match="Whole takes no parts of batches"):
        check_parts(dataclasses.replace(group, task=Whole()), Layout(1, 1, 2, 2))


class Whole(tuner.Task):
    """A task with a `step` alone."""

    train = small.TRAIN

    def init(self, key, hyperparams):
        raise AssertionError

    def step(self, key, hyperparams, state, *inputs):
        raise AssertionError

    def evaluate(self, key, hyperparams, state):
        raise AssertionError


def rates(trial, horizon):
    """One of three schedules, up to a horizon."""
    peak = trial.hyperparams["learning_rate"]
    return [
        tuner.warmup_constant_decay(peak, horizon, warmup_steps=3, decay_fraction=0.5),
        tuner.cosine(peak, horizon),
        tuner.Schedule(peak=peak, constant_steps=horizon),
    ][trial.trial % 3].rates()


def test_horizons_schedules_and_sizes_mix_in_one_program(mixed):
    """128 of them fill their lanes to nine tenths, the tail included."""
    many = dataclasses.replace(
        mixed.declared, rounds=[tuner.Round(trials=128, max_train_steps=20)]
    )
    trials = list(planned(many, 1))
    horizons = np.random.default_rng(0).choice([5, 10, 15, 20], 128).tolist()
    jobs = [
        dataclasses.replace(
            job, rates={"learning_rate": rates(trial, horizon)}, branch_step=None
        )
        for job, trial, horizon in zip(
            jobs_of(many, trials), trials, horizons, strict=True
        )
    ]
    outcome = train(mixed.program, jobs)
    assert mixed.program.traces["advance"] == 1
    assert [len(outcome.steps[job.trial]) for job in jobs] == horizons
    assert outcome.engine.lane_calls > 0.9 * outcome.engine.slot_calls
    for job in jobs[::16]:
        alone = train(mixed.program, [job])
        assert alone.curves[job.trial] == outcome.curves[job.trial]
