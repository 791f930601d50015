"""Compilations are counted once, and those of a calibration apart."""

import threading

import jax
import numpy as np
import pytest

from tuner.lanes.compilations import Compilations, calibrating, compilations, counted


def compile_anew(shift):
    """A program that no cache can have: its number is compiled in."""
    jax.jit(lambda x: x + shift).lower(np.float32(0)).compile()


@pytest.fixture
def shifts():
    rng = np.random.default_rng()  # unseeded, so that no cache has seen it
    return iter(rng.integers(1 << 30, size=8).astype(np.float32))


def test_each_compilation_counts_once(shifts):
    before, all_before = counted(), compilations()
    compile_anew(next(shifts))
    compile_anew(next(shifts))
    assert counted() - before == Compilations(training=2)
    assert compilations() - all_before == 2


def test_what_the_cache_serves_counts_too_and_is_told(shifts):
    shift = next(shifts)
    compile_anew(shift)
    before = counted()
    compile_anew(shift)
    assert counted() - before == Compilations(training=1, from_cache=1)


def test_a_calibration_is_counted_apart_in_whatever_thread(shifts):
    before = counted()
    with calibrating():
        compile_anew(next(shifts))
        thread = threading.Thread(target=compile_anew, args=(next(shifts),))
        thread.start()
        thread.join()
    compile_anew(next(shifts))
    between = counted() - before
    assert (between.training, between.calibration) == (1, 2)
    assert between.calibration_seconds > 0


def test_a_calibration_that_fails_is_over(shifts):
    with pytest.raises(ZeroDivisionError), calibrating():
        _ = 1 / 0
    before = counted()
    compile_anew(next(shifts))
    assert counted() - before == Compilations(training=1)
