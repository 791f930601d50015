"""A disk that is full in the middle of a run, or gone: it ends as if it never was."""

import contextlib
import os
import signal

import pytest
import small
from displays import Told
from equal_runs import assert_equal
from mounts import mounted_disk

import tuner
from tuner.rounds import patience
from tuner.rounds.cadence import Cadence
from tuner.store import space
from tuner.store.place import UnwritableError

LAYOUT = "2x1x2"


class Filling(Told):
    """Fills the disk after some calls; does something when the run says it has paused.

    Args:
        calls: after which it fills the disk.
        fill: what does that.
        paused: what to do.
    """

    def __init__(self, calls, fill, paused):
        super().__init__()
        self.left, self.fill, self.paused = calls, fill, paused

    def advanced(self, standing):
        self.left -= 1
        if not self.left:
            self.fill()

    def note(self, text):
        super().note(text)
        if text.startswith("paused"):
            self.paused()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return tuner.run(small.study(), tmp_path_factory.mktemp("run"), layout=LAYOUT)


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(Cadence, "due", lambda *_: True)
    monkeypatch.setattr(patience, "POLL_SECONDS", 0.05)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few megabytes."""
    with mounted_disk(tmp_path / "disk", "12m") as place:
        yield place


@pytest.mark.parametrize("says_so", [True, False])
def test_it_goes_on_when_there_is_room(uninterrupted, small_disk, says_so, monkeypatch):
    """Whether the disk says beforehand that it is full, or a write fails."""
    if not says_so:
        monkeypatch.setattr(space, "check", lambda directory, needed: None)
    filler = small_disk / "filler"

    def fill():
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
            while True:
                stream.write(bytes(2**12))

    display = Filling(5, fill, filler.unlink)
    run = tuner.run(small.study(), small_disk / "run", layout=LAYOUT, display=display)
    assert_equal(run, uninterrupted)
    paused, again = display.notes
    assert paused.startswith(f"paused: the disk of `{small_disk / 'run'}` must have")
    assert "free for what is to be written next, but has" in paused
    assert again == "there is room on the disk again: the run goes on"


def test_asked_to_stop_while_it_waits_it_leaves_and_goes_on_later(
    uninterrupted, tmp_path, monkeypatch
):
    left = space._left

    def fill():
        monkeypatch.setattr(space, "_left", lambda _: (1000, 1000))

    display = Filling(5, fill, lambda: os.kill(os.getpid(), signal.SIGTERM))
    run = tuner.run(small.study(), tmp_path, layout=LAYOUT, display=display)
    assert run.status == "interrupted"
    assert display.notes[1:] == [
        "left while the disk was full: what was committed is kept"
    ]
    before = run.metrics("train")
    monkeypatch.setattr(space, "_left", left)
    again = tuner.run(small.study(), tmp_path)
    assert before.join(again.metrics("train"), on=before.columns, how="anti").is_empty()
    assert_equal(again, uninterrupted)


def test_a_directory_that_goes_away_ends_the_run_which_goes_on_when_it_is_back(
    uninterrupted, tmp_path
):
    """A thread writes, but the caller is told."""
    directory, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    display = Filling(5, lambda: directory.rename(elsewhere), None)
    with pytest.raises(UnwritableError, match="but it is gone; put it back"):
        tuner.run(small.study(), directory, layout=LAYOUT, display=display)
    elsewhere.rename(directory)
    assert_equal(tuner.run(small.study(), directory), uninterrupted)
