"""Batches seen in parts: sizes that share a program, and batches that devices share."""

import dataclasses

import numpy as np
import pytest
import small

import tuner
from tuner.lanes.engine import Engine
from tuner.lanes.layout import Layout
from tuner.lanes.program import Program
from tuner.lanes.trial import check_parts
from tuner.rounds.groups import make_group, make_job
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


def curves(program, declared, trials):
    """Losses of the steps and errors of the evaluations, by trial."""
    engine = Engine(program)
    engine.submit([make_job(declared, t, start_step=0, trained=None) for t in trials])
    losses = {t.trial: [] for t in trials}
    steps = {t.trial: [] for t in trials}
    errors = {t.trial: [] for t in trials}
    ended = {}
    while engine.busy:
        if (called := engine.advance()) is None:
            continue
        for i, trial in enumerate(called.trials.tolist()):
            losses[trial] += called.train["loss"][i, called.kept[i]].tolist()
            steps[trial] += called.step[i, called.kept[i]].tolist()
            if called.due[i]:
                errors[trial].append(float(called.valid["valid/error"][i]))
        for copied in (c for c in called.copied if c.what == "end"):
            for i, trial in enumerate(copied.trials):
                ended[trial] = {n: a[i] for n, a in copied.arrays.items()}
    return losses, steps, errors, ended


def compiled(declared, layout):
    trials = list(planned(declared, 1))
    program = Program(make_group(declared, trials[0]), layout)
    program.compile()
    return program, trials


@pytest.fixture(scope="module")
def mixed():
    declared = study(batch_size="traced")
    program, trials = compiled(declared, Layout(2, 2, 2))
    return declared, program, trials, curves(program, declared, trials)


def test_sizes_share_one_program_and_all_make_their_steps(mixed):
    declared, program, trials, (losses, steps, errors, _) = mixed
    assert {t.hyperparams["batch_size"] for t in trials} == set(SIZES)
    assert declared.micro_batch_size == 16
    assert program.traces["advance"] == 1
    for trial in trials:
        assert steps[trial.trial] == list(range(1, 21))
        assert len(losses[trial.trial]) == 20
        assert len(errors[trial.trial]) == 4


def test_a_trial_is_the_same_bits_among_batches_of_other_sizes(mixed):
    declared, program, trials, together = mixed
    for trial in trials[:4]:
        alone = curves(program, declared, [trial])
        for of_all, of_one in zip(together[:3], alone[:3], strict=True):
            assert of_one[trial.trial] == of_all[trial.trial]


def test_the_state_beside_the_parameters_sees_the_whole_batch(mixed):
    """Each update adds shares that sum to one, however many parts the batch has."""
    *_, (_, _, _, ended) = mixed
    for state in ended.values():
        total = state["state.variables.extra"].sum()
        assert total == pytest.approx(20, rel=1e-5)  # 20 sums of float32


def test_a_step_in_parts_is_the_step_in_one_piece():
    """To rounding, after one step from one state: the sums are in another order."""
    whole = study(batch_size=64)
    parted = study(batch_size=64, micro_batch_size=16)
    results = []
    for declared in (whole, parted):
        program, trials = compiled(declared, Layout(1, 1, 2))
        losses, _, _, _ = curves(program, declared, trials[:2])
        results.append([losses[t.trial][:2] for t in trials[:2]])
    # The second loss is that after one update; rounding is of float32.
    np.testing.assert_allclose(results[0], results[1], rtol=2e-6)


def test_devices_that_share_a_batch_make_the_step_of_one(mixed):
    declared = study(batch_size=32)
    results = []
    for layout in (Layout(1, 1, 2), Layout(1, 1, 2, 2)):
        program, trials = compiled(declared, layout)
        losses, _, _, ended = curves(program, declared, trials[:2])
        results.append([losses[t.trial][:2] for t in trials[:2]])
        assert ended[0]["state.variables.extra"].sum() == pytest.approx(20, rel=1e-5)
    np.testing.assert_allclose(results[0], results[1], rtol=2e-6)


def test_micro_batches_equal_a_trial_alone(mixed):
    from tuner.lanes.alone import train_alone

    declared, program, trials, (losses, *_) = mixed
    job = make_job(declared, trials[1], start_step=0, trained=None)
    alone = train_alone(program.group, job, steps=3)
    # Lanes are a vmap of two: sums in another order, three steps of it.
    np.testing.assert_allclose(
        [metrics["loss"] for _, metrics, _ in alone],
        losses[trials[1].trial][:3],
        rtol=1e-5,
    )


def test_a_run_goes_on_within_a_step(mixed):
    """A snapshot between two micro-batches of a step continues it."""
    declared, program, trials, together = mixed
    trial = next(t for t in trials if t.hyperparams["batch_size"] == 64)
    engine = Engine(program)
    engine.submit([make_job(declared, trial, start_step=0, trained=None)])
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
    job = make_job(declared, trial, start_step=step, trained=state)
    assert job.start_tick == step * 4 + state["pending.ticks"]
    again = Engine(program)
    again.submit([job])
    while again.busy:
        if (called := again.advance()) is not None:
            losses += called.train["loss"][0, called.kept[0]].tolist()
    assert losses == together[0][trial.trial]


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
    declared = study(batch_size=25)
    group = make_group(declared, next(iter(planned(declared, 1))))
    check_parts(group, Layout(1, 1, 2))
    with pytest.raises(ValueError, match=r"must divide .* \(parts=2, examples=25\)"):
        check_parts(group, Layout(1, 1, 2, 2))


def test_a_task_that_takes_no_parts_is_not_split():
    declared = study(batch_size=32)
    group = make_group(declared, next(iter(planned(declared, 1))))
    whole = dataclasses.replace(group, task=Whole())
    with pytest.raises(ValueError, match="Whole takes no parts of batches"):
        check_parts(whole, Layout(1, 1, 2, 2))


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
    declared, program, _, _ = mixed
    many = dataclasses.replace(
        declared, rounds=[tuner.Round(trials=128, max_train_steps=20)]
    )
    horizons = np.random.default_rng(0).choice([5, 10, 15, 20], 128)
    jobs = [
        dataclasses.replace(
            make_job(many, trial, start_step=0, trained=None),
            rates={"learning_rate": rates(trial, int(horizon))},
            branch_step=None,
        )
        for trial, horizon in zip(planned(many, 1), horizons, strict=True)
    ]
    engine, losses = trained(program, jobs)
    assert program.traces["advance"] == 1
    assert {j.trial: len(losses[j.trial]) for j in jobs} == {
        j.trial: j.horizon for j in jobs
    }
    assert engine.lane_calls > 0.9 * engine.slot_calls
    for job in jobs[::16]:
        assert trained(program, [job])[1] == {job.trial: losses[job.trial]}


def trained(program, jobs):
    """The engine that trained jobs, and the losses of each."""
    engine, losses = Engine(program), {job.trial: [] for job in jobs}
    engine.submit(jobs)
    while engine.busy:
        if (called := engine.advance()) is not None:
            for i, trial in enumerate(called.trials.tolist()):
                losses[trial] += called.train["loss"][i, called.kept[i]].tolist()
    return engine, losses
