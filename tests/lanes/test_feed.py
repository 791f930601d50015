"""Batches that the host reads are those that the device would pick, bit for bit."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small
from training import compiled, group_and_trials, jobs_of, same_states, train

import tuner
from tuner.lanes.alone import train_alone
from tuner.lanes.calibration import fastest
from tuner.lanes.compilations import compilations
from tuner.lanes.feed import Feed, Piece, check, data_key, read, segment_calls
from tuner.lanes.layout import Layout
from tuner.lanes.trial import trial_key

ROWS = [(small.PIXELS[i], small.LABELS[i]) for i in range(600)]
LAYOUT = Layout(2, 1, 2)


class Counting:
    """The rows of the small study, and how often each was read."""

    def __init__(self):
        self.readings = []

    def __len__(self):
        return len(ROWS)

    def __getitem__(self, place):
        self.readings.append(place)
        return ROWS[place]


def noisy(key, hyperparams, batch):
    pixels, labels = batch
    return pixels + 0.1 * jax.random.normal(key, pixels.shape), labels


def study_of(train, **changes):
    task = small.task(train=train, batch_size=48, augment=noisy)
    rounds = [tuner.Round(trials=12, max_train_steps=20)]
    return small.study(task=task, rounds=rounds, **changes)


def group_of(study):
    return group_and_trials(study, activation="relu")[0]


@pytest.fixture(scope="module")
def study():
    return study_of(tuner.Source(Counting(), threads=3))


def fed(study):
    """The study's program, compiled, and its jobs."""
    program, trials = compiled(study, LAYOUT, activation="relu")
    return program, jobs_of(study, trials)


@pytest.fixture(scope="module")
def program_and_jobs(study):
    return fed(study)


@pytest.fixture(scope="module")
def together(program_and_jobs):
    return train(*program_and_jobs)


def same(one, other):
    """Whether all rows and states are, bit for bit."""
    return one.curves == other.curves and same_states(one.states, other.states)


# Laws


def test_a_source_trains_as_arrays_of_the_same_examples(together):
    """Twenty steps of 48 of 600 examples: batches that straddle epochs among them."""
    arrays = train(*fed(study_of(small.TRAIN)))
    assert len(arrays.curves) == 6
    assert same(together, arrays)


def test_a_fed_trial_is_the_same_bits_whoever_its_neighbours_are(
    program_and_jobs, together
):
    """Six trials on four lanes, augmented by their own keys: two wait for a lane."""
    program, jobs = program_and_jobs
    for job in jobs[::-2]:
        alone = train(program, [job])
        assert alone.curves[job.trial] == together.curves[job.trial]
        mine = {key: s for key, s in together.states.items() if key[0] == job.trial}
        assert same_states(alone.states, mine)


def test_the_order_of_fed_trials_changes_no_bit(program_and_jobs, together):
    program, jobs = program_and_jobs
    assert same(train(program, jobs[::-1]), together)


def test_one_program_serves_all_fed_trials(program_and_jobs, together):
    program, jobs = program_and_jobs
    before = compilations()
    train(program, jobs[::-1])
    assert compilations() == before
    assert program.traces["advance"] == 1


def test_alone_a_trial_reads_the_same_batches(study, program_and_jobs, together):
    job = program_and_jobs[1][0]
    alone = train_alone(group_of(study), job, steps=5)
    losses = [metrics["loss"] for _, metrics, _ in alone]
    # Lanes are a vmap of two: sums in another order, five steps of it.
    np.testing.assert_allclose(losses, together.losses(job.trial)[:5], rtol=1e-4)


# What is read


def test_each_example_is_read_once_for_each_time_it_is_trained_on():
    """Nothing breaks, so all that is read ahead is used: 6 trials, 20 steps of 48."""
    dataset = Counting()
    program, jobs = fed(study_of(tuner.Source(dataset)))
    dataset.readings.clear()
    train(program, jobs)
    assert len(dataset.readings) == 6 * 20 * 48


def test_the_key_of_a_trials_data_is_that_of_the_lanes(study):
    group, trials = group_and_trials(study, activation="relu")
    numbers = jnp.array(trials[0].numbers, jnp.uint32)
    key = jax.random.fold_in(trial_key(group.data, numbers), 1)
    expected = tuple(jax.random.key_data(key).tolist())
    assert data_key(group.seed, trials[0].numbers) == expected


# The buffer

TICK = 3 * 4 * 48 * (64 + 1) * 4  # bytes: three calls of four lanes

CALLS = [
    # room, in ticks; where trials begin; calls of a segment of five steps
    (100, 0, 1),
    (5, 0, 1),
    (4, 0, 5),  # a segment's calls are of one length, and five is prime
    (1, 0, 5),
    (100, 10, 1),
    (100, 7, 5),  # some trial went on from within a segment
]


@pytest.mark.parametrize(("room", "starts", "calls"), CALLS)
def test_a_segment_takes_as_many_calls_as_its_batches_need_room(room, starts, calls):
    study = study_of(tuner.Source(ROWS, buffer_bytes=room * TICK))
    group = dataclasses.replace(group_of(study), start_ticks=starts)
    assert segment_calls(group, LAYOUT) == calls


def test_batches_that_do_not_fit_into_the_buffer_are_refused():
    study = study_of(tuner.Source(ROWS, buffer_bytes=TICK))
    check(group_of(study), LAYOUT)
    study.task.train.buffer_bytes = TICK - 1
    rule = (
        "but 3 x 4 lanes x 48 examples of 260 bytes are 149,760 "
        "(buffer_bytes=149,759): let examples be smaller"
    )
    with pytest.raises(ValueError, match=re.escape(rule)):
        check(group_of(study), LAYOUT)


def test_however_many_calls_a_segment_takes_the_bits_are_the_same(together):
    assert same(train(*fed(study_of(tuner.Source(ROWS, buffer_bytes=TICK)))), together)


def test_a_layout_is_measured_without_reading(program_and_jobs, study):
    program, jobs = program_and_jobs
    dataset = study.task.train.dataset
    dataset.readings.clear()
    chosen, measured = fastest(program, jobs * 40)
    assert chosen is program
    assert measured[0].ticks_per_second > 0
    assert len(dataset.readings) == 5 * 48  # one trial's batches, in every lane


# The feed


@pytest.fixture
def feed(study):
    return Feed(group_of(study), lanes=3)


def never():
    return False


def test_the_batches_of_a_call_lie_in_their_lanes(study, feed):
    first, second = Piece((0, 1, 0), 10, 5), Piece((1, 1, 0), 0, 5)
    pixels, labels = feed.take({2: first, 0: second}, never)
    group = group_of(study)
    for lane, piece in ((2, first), (0, second)):
        expected = read(group, piece)
        np.testing.assert_array_equal(pixels[lane], expected[0])
        np.testing.assert_array_equal(labels[lane], expected[1])
    assert pixels.shape == (3, 5, 48, 64)
    assert not labels[1].any()


def test_two_lanes_may_see_the_same(study, feed):
    piece = Piece((0, 1, 0), 10, 5)
    pixels, _ = feed.take({2: piece, 0: piece}, never)
    expected = read(group_of(study), piece)[0]
    np.testing.assert_array_equal(pixels[0], expected)
    np.testing.assert_array_equal(pixels[2], expected)


def test_what_was_read_ahead_for_nobody_is_dropped(feed):
    piece, other = Piece((0, 1, 0), 0, 5), Piece((1, 1, 0), 0, 5)
    feed.expect([piece, other])
    feed.expect([other])
    expected = read(feed._group, piece)
    np.testing.assert_array_equal(feed.take({1: piece}, never)[1][1], expected[1])


def test_an_example_that_cannot_be_read_stops_the_call():
    class Broken(Counting):
        def __getitem__(self, place):
            if place == 300:
                raise ConnectionError("no answer")
            return ROWS[place]

    source = tuner.Source(Broken(), retries=0)
    feed = Feed(group_of(study_of(source)), lanes=1)
    with pytest.raises(OSError, match="example 300 of Broken could not be read in 1"):
        feed.take({0: Piece((0, 0, 0), 0, 13)}, never)  # 13 steps of 48: an epoch


def test_what_could_not_be_read_for_a_moment_is_read_again():
    class Moody(Counting):
        def __getitem__(self, place):
            self.readings.append(place)
            if place == 300 and self.readings.count(300) == 1:
                raise ConnectionError("no answer")
            return ROWS[place]

    feed = Feed(group_of(study_of(tuner.Source(Moody(), retries=0))), lanes=1)
    assert feed.unreadable({0: Piece((0, 0, 0), 0, 13)}, never) == {}


def test_only_waiting_beside_idle_devices_counts(feed):
    piece = Piece((0, 1, 0), 0, 5)
    feed.take({0: piece}, lambda: True)
    assert feed.starved_seconds == 0  # the first batches come before any training
    feed.take({0: piece}, never)
    assert feed.starved_seconds == 0
    feed.take({0: piece}, lambda: True)
    assert 0 < feed.starved_seconds <= feed.seconds


def test_an_input_that_holds_training_up_is_told_of_once(feed):
    feed.seconds, feed.starved_seconds = 100.0, 60.0
    line = feed.complaint()
    assert line.startswith(
        "input-bound: 60% of the time the devices wait for batches; with batches at "
        "hand training would be at least 2.5 times as fast: try more threads= than 3"
    )
    assert line.endswith("train=source.load(): 600 examples of 260 bytes")
    assert feed.complaint() == ""


UNTOLD = [
    # seconds, of which starved
    (4.0, 3.0),  # too early
    (100.0, 9.0),  # too little
    (0.0, 0.0),
]


@pytest.mark.parametrize(("seconds", "starved"), UNTOLD)
def test_an_input_that_keeps_up_is_not_told_of(feed, seconds, starved):
    feed.seconds, feed.starved_seconds = seconds, starved
    assert feed.complaint() == ""
