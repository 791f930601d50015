"""The engine's laws: isolation, one program, exactness, a broken trial alone."""

import operator

import numpy as np
import pytest
import small

from tuner.lanes.compilations import compilations
from tuner.lanes.engine import Engine
from tuner.lanes.layout import Layout
from tuner.lanes.program import Program
from tuner.rounds.groups import make_group, make_job
from tuner.rounds.trials import planned


def group_and_trials(study, activation="relu"):
    trials = list(planned(study, 1))
    mine = [t for t in trials if t.hyperparams["activation"] == activation]
    return make_group(study, mine[0]), mine


def train(program, study, trials):
    """Everything that training brings: curves and copied states, by trial."""
    engine = Engine(program)
    engine.submit([make_job(study, t, start_step=0, trained=None) for t in trials])
    curves, states = {t.trial: [] for t in trials}, {}
    while engine.busy:
        called = engine.advance()
        if called is None:
            continue
        for i, trial in enumerate(called.trials):
            good = called.good[i]
            losses = called.train["loss"][i, called.kept[i]]
            error = called.valid["valid/error"][i]
            curves[trial] += [*losses, *([error] if good == study.eval_every else [])]
        for copied in called.copied:
            for i, trial in enumerate(copied.trials):
                row = {name: array[i] for name, array in copied.arrays.items()}
                states[trial, copied.what] = (copied.steps[i], row)
    return curves, states


@pytest.fixture(scope="module")
def study():
    return small.study()


@pytest.fixture(scope="module")
def program(study):
    group, _ = group_and_trials(study)
    program = Program(group, Layout(2, 2, 2))
    program.compile()
    return program


def test_a_trial_is_the_same_bits_whoever_its_neighbours_are(program, study):
    _, trials = group_and_trials(study)
    together, _ = train(program, study, trials)
    for trial in trials:
        alone, _ = train(program, study, [trial])
        assert alone[trial.trial] == together[trial.trial]


def test_the_order_of_trials_changes_no_bit(program, study):
    _, trials = group_and_trials(study)
    forward, states = train(program, study, trials)
    backward, reversed_states = train(program, study, trials[::-1])
    assert forward == backward
    for key, (step, state) in states.items():
        other_step, other = reversed_states[key]
        assert step == other_step
        assert all(np.array_equal(state[name], other[name]) for name in state)


def test_the_number_of_chunks_changes_no_bit(program, study):
    group, trials = group_and_trials(study)
    more = Program(group, Layout(2, 1, 2))
    more.compile()
    assert train(more, study, trials)[0] == train(program, study, trials)[0]


def test_one_program_serves_all_trials_and_refills(program, study):
    _, trials = group_and_trials(study)
    train(program, study, trials)
    before = compilations()
    train(program, study, trials[::-1])
    assert compilations() == before
    assert program.traces == {"advance": 1, "load": 1, "restore": 1, "take": 1}


def test_mixed_horizons_and_schedules_share_the_program(program, study):
    _, trials = group_and_trials(study)
    long = small.study(
        rounds=[small.tuner.Round(trials=12, max_train_steps=40)],
        schedule=lambda hyperparams, steps: lambda count: 0.1 / (1 + count),
    )
    _, longer = group_and_trials(long)
    alone, _ = train(program, study, trials)
    engine = Engine(program)
    jobs = [make_job(study, t, start_step=0, trained=None) for t in trials]
    others = [make_job(long, t, start_step=0, trained=None) for t in longer]
    for job in others:
        object.__setattr__(job, "trial", job.trial + 100)
    before = compilations()
    engine.submit(jobs + others)
    losses = {}
    while engine.busy:
        if (called := engine.advance()) is not None:
            for i, trial in enumerate(called.trials):
                losses.setdefault(trial, []).extend(called.train["loss"][i])
    assert compilations() == before
    assert {len(losses[t.trial]) for t in trials} == {20}
    assert {len(losses[t.trial + 100]) for t in longer} == {40}
    for trial in trials:
        assert losses[trial.trial][:5] == alone[trial.trial][:5]


def test_a_branch_state_is_that_of_its_step(program, study):
    """The state at the branch is the state at the end of a run that stops there."""
    _, trials = group_and_trials(study)
    trial = trials[0]
    _, states = train(program, study, [trial])
    step, branch = states[trial.trial, "branch"]
    assert step == trial.branch_step
    job = make_job(study, trial, start_step=0, trained=None)
    short = {name: rates[:step] for name, rates in job.rates.items()}
    object.__setattr__(job, "rates", short)
    engine = Engine(program)
    engine.submit([job])
    ended = []
    while engine.busy:
        if (called := engine.advance()) is not None:
            ended += [copied for copied in called.copied if copied.what == "end"]
    assert all(np.array_equal(ended[0].arrays[n][0], branch[n]) for n in branch)


def test_a_stopped_trial_ends_at_its_next_evaluation_with_its_state(program, study):
    """One in a lane after the segment in flight, one that waits after its first."""
    _, trials = group_and_trials(study)
    engine = Engine(program)
    engine.submit([make_job(study, t, start_step=0, trained=None) for t in trials])
    running, waiting = trials[0].trial, trials[-1].trial
    engine.stop([waiting])
    steps, ends = {t.trial: 0 for t in trials}, {}
    while engine.busy:
        if (called := engine.advance()) is None:
            continue
        if steps[running] == 0:
            engine.stop([running])
        for trial, good in zip(called.trials, called.good, strict=True):
            steps[trial] += good
        for copied in called.copied:
            if copied.what == "end":
                ends |= dict(zip(copied.trials, copied.steps, strict=True))
    expected = {t.trial: 20 for t in trials} | {running: 10, waiting: 5}
    assert steps == ends == expected


def test_trials_equal_a_plain_loop_over_optax(program, study):
    """Known by other means: ten steps of one trial, written by hand."""
    import jax
    import optax

    from tuner.lanes.order import batch_indices
    from tuner.study.hyperparams import Hyperparams

    _, trials = group_and_trials(study)
    trial = trials[1]
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
    curves, _ = train(program, study, [trial])
    recorded = [*curves[trial.trial][:5], *curves[trial.trial][6:11]]
    # Lanes are a vmap of four: sums in another order, ten steps of it.
    np.testing.assert_allclose(recorded, losses, rtol=1e-4)


def test_a_broken_trial_changes_no_bit_of_its_neighbours():
    study = small.diverging_study()
    group, trials = group_and_trials(study, "tanh")
    program = Program(group, Layout(2, 1, 4))
    program.compile()
    curves, _ = train(program, study, trials)
    whole = [t for t in trials if len(curves[t.trial]) == 24]
    broken = [t for t in trials if len(curves[t.trial]) < 24]
    assert len(broken) >= 6
    assert len(whole) >= 6
    alone, _ = train(program, study, whole)
    assert all(alone[t.trial] == curves[t.trial] for t in whole)


def test_only_finite_losses_of_a_broken_trial_are_kept():
    study = small.diverging_study()
    group, trials = group_and_trials(study, "tanh")
    program = Program(group, Layout(2, 1, 4))
    program.compile()
    curves, _ = train(program, study, trials)
    assert all(np.isfinite(curve).all() for curve in curves.values())
