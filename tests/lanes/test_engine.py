"""The engine's laws: isolation, one program, exactness, a broken trial alone."""

import dataclasses
import operator

import numpy as np
import pytest
import small
from training import compiled, finish, jobs_of, same_states, train

from tuner.lanes.compilations import compilations
from tuner.lanes.engine import Engine
from tuner.lanes.layout import Layout
from tuner.lanes.program import Program


@pytest.fixture(scope="module")
def study():
    return small.study()


@pytest.fixture(scope="module")
def program_and_trials(study):
    return compiled(study, Layout(2, 2, 2), activation="relu")


@pytest.fixture(scope="module")
def program(program_and_trials):
    return program_and_trials[0]


@pytest.fixture(scope="module")
def jobs(study, program_and_trials):
    return jobs_of(study, program_and_trials[1])


@pytest.fixture(scope="module")
def together(program, jobs):
    return train(program, jobs)


def test_a_trial_is_the_same_bits_whoever_its_neighbours_are(program, jobs, together):
    for job in jobs:
        alone = train(program, [job])
        assert alone.curves[job.trial] == together.curves[job.trial]


def test_the_order_of_trials_changes_no_bit(program, jobs, together):
    backward = train(program, jobs[::-1])
    assert backward.curves == together.curves
    assert same_states(backward.states, together.states)


def test_the_number_of_chunks_changes_no_bit(program, jobs, together):
    fewer = Program(program.group, Layout(2, 1, 2))
    fewer.compile()
    assert train(fewer, jobs).curves == together.curves


def test_two_devices_make_the_step_of_one(program, jobs, together):
    """To rounding, after one step from one state: elsewhere sums may be in another
    order.
    """
    one = Program(program.group, Layout(1, 2, 2))
    one.compile()
    apart = train(one, jobs)
    for job in jobs:
        for name, values in apart.train[job.trial].items():
            ours = together.train[job.trial][name]
            np.testing.assert_allclose(values[:1], ours[:1], rtol=2e-6)
        # Its second loss is that after one update.
        losses = apart.losses(job.trial)[:2], together.losses(job.trial)[:2]
        np.testing.assert_allclose(*losses, rtol=2e-6)


def test_one_program_serves_all_trials_and_refills(program, jobs, together):
    before = compilations()
    train(program, jobs[::-1])
    assert compilations() == before
    assert program.traces == {"advance": 1, "load": 1, "restore": 1, "take": 1}


def test_mixed_horizons_and_schedules_share_the_program(program, jobs, together):
    slower = (0.1 / (1 + np.arange(40))).astype(np.float32)
    longer = [
        dataclasses.replace(job, trial=job.trial + 100, rates={"learning_rate": slower})
        for job in jobs
    ]
    before = compilations()
    mixed = train(program, jobs + longer)
    assert compilations() == before
    for job in jobs:
        assert mixed.curves[job.trial] == together.curves[job.trial]
    assert {len(mixed.losses(job.trial)) for job in longer} == {40}


def test_a_branch_state_is_that_of_its_step(program, jobs, together):
    """The state at the branch is the state at the end of a run that stops there."""
    job = jobs[0]
    step, branch = together.states[job.trial, "branch"]
    assert step == job.branch_step
    short = {name: rates[:step] for name, rates in job.rates.items()}
    ended = train(program, [dataclasses.replace(job, rates=short)])
    at, leaves = ended.states[job.trial, "end"]
    assert at == step
    assert all(np.array_equal(leaves[name], branch[name]) for name in branch)


def test_a_stopped_trial_ends_at_its_next_evaluation_with_its_state(program, jobs):
    """One in a lane after the segment in flight, one that waits after its first."""
    engine = Engine(program)
    engine.submit(jobs)
    running, waiting = jobs[0].trial, jobs[-1].trial
    engine.stop([waiting])
    stopped = finish(engine, jobs, meanwhile=lambda: engine.stop([running]))
    expected = {job.trial: 20 for job in jobs} | {running: 10, waiting: 5}
    ends = {
        trial: at for (trial, what), (at, _) in stopped.states.items() if what == "end"
    }
    assert ends == expected
    assert {trial: len(steps) for trial, steps in stopped.steps.items()} == expected


def test_trials_equal_a_plain_loop_over_optax(study, program_and_trials, together):
    """Known by other means: ten steps of one trial, written by hand."""
    import jax
    import optax

    from tuner.lanes.order import batch_indices
    from tuner.study.hyperparams import Hyperparams

    trial = program_and_trials[1][1]
    hyperparams = Hyperparams(trial.hyperparams)
    key = jax.random.key(study.seed, impl="threefry2x32")
    for number in trial.numbers:
        key = jax.random.fold_in(key, np.uint32(number))
    params = small.init(jax.random.fold_in(key, 0), hyperparams)
    order = batch_indices(
        jax.random.fold_in(key, 1),
        jax.numpy.int32(0),
        jax.numpy.int32(0),
        steps=10,
        batch_size=32,
        num_examples=600,
    )

    @jax.jit
    def update(params, state, batch, rate):
        (loss, _), gradient = jax.value_and_grad(small.loss, 2, has_aux=True)(
            None, hyperparams, params, batch
        )
        optimizer = small.optimizer(hyperparams, rate)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    state = small.optimizer(hyperparams, 0.0).init(params)
    losses = []
    for indices, rate in zip(order, trial.rates["learning_rate"][:10], strict=True):
        batch = jax.tree.map(operator.itemgetter(np.asarray(indices)), small.TRAIN.tree)
        params, state, loss = update(params, state, batch, rate)
        losses.append(loss)
    # Lanes are a vmap of two: sums in another order, ten steps of it.
    recorded = together.losses(trial.trial)[:10]
    np.testing.assert_allclose(recorded, losses, rtol=1e-4)


@pytest.fixture(scope="module")
def diverging():
    study = small.diverging_study()
    program, trials = compiled(study, Layout(2, 1, 4), activation="tanh")
    jobs = jobs_of(study, trials)
    return program, jobs, train(program, jobs)


def test_a_broken_trial_changes_no_bit_of_its_neighbours(diverging):
    program, jobs, outcome = diverging
    whole = [job for job in jobs if len(outcome.steps[job.trial]) == 20]
    assert len(whole) >= 6
    assert len(jobs) - len(whole) >= 6
    alone = train(program, whole)
    assert all(alone.curves[j.trial] == outcome.curves[j.trial] for j in whole)


def test_only_finite_losses_of_a_broken_trial_are_kept(diverging):
    _, _, outcome = diverging
    assert all(np.isfinite(outcome.losses(trial)).all() for trial in outcome.steps)
