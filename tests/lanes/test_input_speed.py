"""What a source delivers beside what a program takes on cached batches."""

import collections
import threading

import pytest
import small
from training import group_and_trials, jobs_of

import tuner
from tuner.lanes import input_speed
from tuner.lanes.input_speed import InputSpeed, measure, reading
from tuner.lanes.layout import Layout

ROWS = list(zip(small.PIXELS[:600], small.LABELS[:600], strict=True))


class Counting:
    """The rows of the small study, how often each was read, and by whom."""

    def __init__(self):
        self.readings, self.readers = collections.Counter(), set()

    def __len__(self):
        return len(ROWS)

    def __getitem__(self, place):
        self.readings[place] += 1
        self.readers.add(threading.current_thread().name)
        return ROWS[place]


def fed(dataset, **options):
    """The program of a study that reads it, and its first trial."""
    source = tuner.Source(dataset, **options)
    study = small.study(task=small.task(train=source))
    group, trials = group_and_trials(study, activation="relu")
    return group, jobs_of(study, trials)[0]


def test_each_thread_reads_a_batch_at_least_and_different_ones():
    """In no time at all: three batches of 32, of an epoch that repeats none."""
    dataset = Counting()
    group, job = fed(dataset, threads=3)
    dataset.readings.clear()
    assert reading(group, job, seconds=0.0) > 0
    assert dataset.readings.total() == len(dataset.readings) == 3 * 32


def test_reading_goes_on_until_the_time_is_over(monkeypatch):
    """A clock that advances by a tenth whenever it is asked."""
    now = (0.1 * turn for turn in range(10**6))
    monkeypatch.setattr(input_speed.time, "perf_counter", lambda: next(now))
    dataset = Counting()
    group, job = fed(dataset, threads=1)
    dataset.readings.clear()
    # Asked at the start, after each of ten batches, and at the end: 1.1 s.
    assert reading(group, job, seconds=0.95) == pytest.approx(10 * 32 / 1.1)
    assert dataset.readings.total() == 10 * 32


def test_what_reading_raises_is_raised():
    class Broken(Counting):
        def __getitem__(self, place):
            if self.readings.total() > 5:
                raise OSError("the disk is gone")
            return super().__getitem__(place)

    group, job = fed(Broken(), retries=0)
    with pytest.raises(OSError, match="the disk is gone"):
        reading(group, job, seconds=0.0)


def test_the_program_is_timed_without_reading(monkeypatch):
    dataset = Counting()
    group, job = fed(dataset)
    monkeypatch.setattr(input_speed, "reading", lambda group, job: 5.0)
    dataset.readings.clear()
    found = measure(group, Layout(2, 1, 2), job)
    assert found.read == 5.0
    assert found.trained > 0
    assert dataset.readings.total() == 5 * 32  # of one trial, the calls' batches


SHARES = [
    # read, trained, waiting
    (25.0, 100.0, 0.75),
    (100.0, 100.0, 0.0),
    (300.0, 100.0, 0.0),
]


@pytest.mark.parametrize(("read", "trained", "share"), SHARES)
def test_the_devices_wait_where_reading_is_slower(read, trained, share):
    assert InputSpeed(read, trained).waiting_share == share
