import errno
import fcntl
import os
import signal
import subprocess
import sys

import pytest

from tuner.store import lock

HOLD = """
import pathlib, sys
from tuner.store import lock
with lock.hold(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

# The child of a fork lives on, waiting for input, when its parent has gone.
FORK_AND_GO = """
import os, pathlib, sys
from tuner.store import lock
with lock.hold(pathlib.Path(sys.argv[1])):
    if os.fork():
        os._exit(0)
    print("forked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 0.0)


@pytest.fixture
def start(tmp_path):
    """Starts a program on `tmp_path`; returns when it has printed its line."""
    started = []

    def start(program: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", program, tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.communicate()


def test_a_held_lock_is_seen(tmp_path):
    with lock.hold(tmp_path):
        assert lock.is_held(tmp_path)


def test_a_released_lock_is_free(tmp_path):
    with lock.hold(tmp_path):
        pass
    assert not lock.is_held(tmp_path)


def test_no_lock_is_free(tmp_path):
    assert not lock.is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_second_holder_is_told_of_the_first(tmp_path, start):
    first = start(HOLD)
    with pytest.raises(lock.LockedError) as caught, lock.hold(tmp_path):
        pass
    assert caught.value.holder["pid"] == first.pid
    assert str(caught.value).startswith(
        f"a run must have one writer, but `{tmp_path}` is being written by process"
        f" {first.pid} on {os.uname().nodename} since 20"
    )
    assert str(caught.value).endswith("; wait until it ends, or stop it")


@pytest.mark.parametrize("text", ["", "{", "7", "[]", "null"])
def test_a_holder_that_has_not_signed_yet_is_an_unknown_one(tmp_path, text):
    """Nor has one whose signature is damaged."""
    with lock.hold(tmp_path):
        (tmp_path / "lock").write_text(text)
        with pytest.raises(lock.LockedError, match="on an unknown host since just now"):
            lock.hold(tmp_path).__enter__()


def test_a_folder_in_place_of_the_lock_is_named(tmp_path):
    (tmp_path / "lock").mkdir()
    message = "lock` must be a file, but is a folder; remove it"
    with pytest.raises(IsADirectoryError, match=message):
        lock.hold(tmp_path).__enter__()


def test_a_refused_holder_leaves_the_lock_to_the_first(tmp_path):
    with lock.hold(tmp_path):
        with pytest.raises(lock.LockedError):
            lock.hold(tmp_path).__enter__()
        assert lock.is_held(tmp_path)


def test_a_killed_holder_releases_it(tmp_path, start):
    process = start(HOLD)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not lock.is_held(tmp_path)


def test_a_forked_child_does_not_keep_it(tmp_path, start):
    start(FORK_AND_GO).wait()
    assert not lock.is_held(tmp_path)


def test_a_reader_that_asks_does_not_refuse_a_starting_writer(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 1.0)
    reader = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(reader, fcntl.LOCK_SH)
    # The reader is done when the writer has tried once.
    monkeypatch.setattr(lock.time, "sleep", lambda _: os.close(reader))
    with lock.hold(tmp_path):
        assert lock.is_held(tmp_path)


@pytest.fixture
def without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    (tmp_path / "lock").touch()
    monkeypatch.setattr(lock.fcntl, "flock", refuse)


def test_a_file_system_without_locks_is_refused(tmp_path, without_locks):
    message = "must be on a file system with locks.*lock=False, or --no-lock"
    with pytest.raises(OSError, match=message), lock.hold(tmp_path):
        pass


@pytest.mark.usefixtures("without_locks")
def test_nothing_is_held_where_nothing_can_be(tmp_path):
    assert not lock.is_held(tmp_path)


def test_without_a_lock_a_run_can_be_written_where_there_are_none(
    tmp_path, without_locks
):
    with lock.hold(tmp_path, locked=False) as is_ours:
        assert is_ours()
        assert not lock.is_locked(tmp_path)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(lock, "_acquire", lambda *_: None)
    with lock.hold(tmp_path):
        assert lock.is_locked(tmp_path)
    monkeypatch.undo()


@pytest.mark.parametrize("text", ["", "[]", "1", '{"locked": null}', "\udcff"])
def test_who_signs_nonsense_is_an_unknown_holder_with_a_lock(tmp_path, text):
    with lock.hold(tmp_path):
        (tmp_path / "lock").write_text(text, errors="surrogateescape")
        assert lock.is_locked(tmp_path)
        with pytest.raises(lock.LockedError, match="an unknown host"):
            lock.hold(tmp_path).__enter__()


def test_a_holder_knows_when_another_lies_in_its_place(tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    with lock.hold(directory) as is_ours:
        assert is_ours()
        directory.rename(tmp_path / "elsewhere")
        assert not is_ours()
        directory.mkdir()
        (directory / "lock").touch()
        assert not is_ours()
