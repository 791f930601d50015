"""Asked to stop, wherever it is: nothing is raised, nothing lost, handlers put back."""

import contextlib
import itertools
import math
import os
import signal
import subprocess
import sys

import pytest
import small
from displays import RaiseAfter, Told
from equal_runs import assert_equal

import tuner
from tuner.lanes.program import Program
from tuner.rounds import runner, stopping
from tuner.rounds.committer import Committer
from tuner.rounds.roster import Roster
from tuner.store.writer import Writer


def study(**changes):
    """One program, and a promotion."""
    two = [
        tuner.Round(trials=8, max_train_steps=20),
        tuner.Round(keep=2, max_train_steps=40, extend=tuner.LengthenConstant()),
    ]
    return small.study(space=small.space(activation="relu"), rounds=two, **changes)


def run(directory, **options):
    return tuner.run(study(), directory, layout="2x2x2", **options)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture
def handlers():
    """Handlers of who calls us, one for each signal."""
    ours = {number: lambda *_: None for number in stopping.SIGNALS}
    before = {number: signal.signal(number, ours[number]) for number in ours}
    yield ours
    for number, handler in before.items():
        signal.signal(number, handler)


@contextlib.contextmanager
def asked(owner, name, number=1):
    """A signal comes just before the n-th call of a function."""
    function, count = getattr(owner, name), itertools.count(1)

    def ask(*args, **kwargs):
        if next(count) == number:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopping._stops[-1].wait(timeout=60)
        return function(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, ask)
        yield


PLACES = [
    (runner, "preflight", 1),
    (runner, "Layouts", 1),
    (Writer, "fix_schemas", 1),
    (Roster, "enter", 1),
    (Program, "compile", 1),  # in the thread that builds
    (Program, "advance", 2),
    (Committer, "_write", 1),  # in the thread that commits
    (Roster, "enter", 2),  # the promotion
]


def test_asked_to_stop_at_every_place_it_goes_on_to_the_same_end(
    undisturbed, handlers, tmp_path
):
    for place in PLACES:
        with asked(*place):
            assert run(tmp_path / "run").status == "interrupted", place
        for number, handler in handlers.items():
            assert signal.getsignal(number) is handler
    assert_equal(run(tmp_path / "run"), undisturbed)


def test_a_signal_at_the_very_end_comes_too_late(undisturbed):
    display = Told()
    with asked(display, "close"):
        assert run(undisturbed.directory, display=display).status == "complete"


def test_errors_of_a_display_and_a_rule_lose_nothing(tmp_path):
    """A display raises, after so many calls, or a rule, after so many evaluations."""
    evaluated, limit = itertools.count(), math.inf

    def rule(evaluations):
        if next(evaluated) == limit:
            raise RuntimeError("from outside")
        return evaluations.step[-1] >= 15 and evaluations.best[-1] > 0.5

    def start(directory, **options):
        return tuner.run(study(stop=rule), directory, layout="2x2x2", **options)

    undisturbed = start(tmp_path / "whole")
    for calls in (1, 3):
        with pytest.raises(RuntimeError, match="from outside"):
            start(tmp_path / "run", display=RaiseAfter(calls))
    evaluated, limit = itertools.count(), 10
    with pytest.raises(Exception, match="from outside"):
        start(tmp_path / "run")
    assert_equal(start(tmp_path / "run"), undisturbed)


def test_the_second_signal_leaves_at_once():
    assert _code("""
with stopping.stop_on_signals() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(timeout=60)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
""") == 130  # fmt: skip


def test_inside_of_another_there_is_one_event(handlers):
    with stopping.stop_on_signals() as outer:
        with stopping.stop_before_the_start(), stopping.stop_on_signals() as inner:
            assert inner is outer
        assert signal.getsignal(signal.SIGINT) is stopping._nothing
    assert signal.getsignal(signal.SIGINT) is handlers[signal.SIGINT]


def test_a_forked_child_answers_for_itself():
    """Who terminates a worker that was forked does not ask the run to stop."""
    assert _code("""
with stopping.stop_on_signals() as stop:
    if not (child := os.fork()):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
assert not stop.is_set()
""") == 0  # fmt: skip


def test_a_handler_that_python_does_not_know_stays(monkeypatch):
    """Nobody could put it back."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(stopping, "SIGNALS", (signal.SIGTERM,))
    with monkeypatch.context() as patch:
        patch.setattr(signal, "getsignal", lambda number: None)
        with stopping.stop_on_signals():
            patch.undo()
            assert signal.getsignal(signal.SIGTERM) is before


def _code(program):
    """How a process ends that runs a program, without JAX: it may fork."""
    imports = "import os, signal, time\nfrom tuner.rounds import stopping\n"
    arguments = [sys.executable, "-c", imports + program]
    return subprocess.run(arguments, check=False).returncode
