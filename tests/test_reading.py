"""Reading a run executes nothing of it: whatever could is poisoned while it is read."""

import builtins
import importlib
import marshal
import os
import pickle
import subprocess
import sys

import pytest
import small

import tuner


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A run of two rounds, with text in it that is Python."""
    study = small.study(
        goal="__import__('os').system('true')",
        space=small.space(activation="tanh", note="eval('1/0')"),
        rounds=[
            tuner.Round(trials=4, max_train_steps=20),
            tuner.Round(keep=2, max_train_steps=40, extend=tuner.Stretch()),
        ],
    )
    directory = tmp_path_factory.mktemp("runs") / "run"
    tuner.run(study, directory, layout="2x1x2")
    read_all(directory)  # what is imported late is there by now
    return directory


def read_all(directory):
    """Whatever can be read of a run."""
    run = tuner.open_run(directory)
    read = [run.definition, run.trials, run.ranked, run.best, run.figures, run.layout]
    read += [run.metrics("train"), run.metrics("valid", lineage=True), run.findings()]
    read += [run.restore(0), run.restore(0, "last"), tuner.check_files(directory)]
    assert all(part is not None for part in read)
    tuner.write_report(run)


class ExecutedError(Exception):
    """Something was executed."""


@pytest.fixture
def poisoned(monkeypatch):
    """What executes raises, unless its code is of an installed package's own file."""

    def refuse(*arguments, **options):
        raise ExecutedError(str(arguments)[:80])

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    for name in ("load", "loads"):
        monkeypatch.setattr(marshal, name, refuse)
    monkeypatch.setattr(os, "system", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    known = set(sys.modules)
    wrapped = {name: getattr(builtins, name) for name in ("eval", "exec", "compile")}

    def guarded(name):
        def call(source, *arguments, **options):
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if caller.partition(".")[0] in ("tuner", __name__.partition(".")[0]):
                raise ExecutedError(f"{name} by {caller}")
            return wrapped[name](source, *arguments, **options)

        return call

    for name in wrapped:
        monkeypatch.setattr(builtins, name, guarded(name))
    imported = importlib.import_module

    def known_only(name, package=None):
        if package is None and name not in known:
            raise ExecutedError(f"import of {name}")
        return imported(name, package)

    monkeypatch.setattr(importlib, "import_module", known_only)


def test_the_poison_works(poisoned):
    for execute in (
        lambda: pickle.loads(b""),
        lambda: marshal.loads(b""),
        lambda: eval("1"),
        lambda: importlib.import_module("this"),
    ):
        with pytest.raises(ExecutedError):
            execute()


def test_a_run_is_read_without_executing_anything(directory, poisoned):
    read_all(directory)
