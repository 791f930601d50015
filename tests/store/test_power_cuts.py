"""The power cut between any two writes of a run, its restarts included.

A run of several commits is written on a disk that keeps only what was flushed. Before
each write it is looked at what a power cut would leave there: once nothing but that,
once more of it, as chance will have it. From each the run is finished, and some are cut
off a second time meanwhile. Snapshots are NumPy files, to be quick.
"""

import itertools
import random
import shutil
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from contents import bring, contents, strangers
from disks import Disk

from tuner.store import database, durable, reader, snapshots
from tuner.store.ledger import Share
from tuner.store.writer import Commit, Writer

pytestmark = pytest.mark.slow

SCHEMA = {"trial": pl.Int32, "step": pl.Int32, "loss": pl.Float32}
RUN = Path("runs", "digits")  # neither of the two is there before
WRITES_TO_GO_ON = 60  # at least so many are made by most runs that are gone on with
EVERY = 2  # of how many writes one is looked at twice, of how many cuts one is two


@dataclass(frozen=True)
class Cut:
    """What a power cut has left.

    Attributes:
        place: where it lies.
        acknowledged: how many commits had returned.
        found: what a reader finds.
    """

    place: Path
    acknowledged: int
    found: dict[str, Any]


@pytest.fixture(scope="module")
def story(row, stack, frame) -> list[Callable[[Writer], None]]:
    """What a run brings, a commit each."""
    again = row(2, step=0, status="waiting", note="begun anew")
    commits = [
        Commit(
            train=frame([1, 2], range(1, 4)),
            valid=frame([1, 2], range(3, 4)),
            trials=[row(1, step=3), row(2, step=3)],
            running=[stack("running", {1: 3, 2: 3})],
        ),
        Commit(
            train=frame([1], range(4, 7)),
            trials=[row(1, step=6, status="complete")],
            kept=[stack("best", {1: 4}), stack("last", {1: 6})],
            running=[stack("running", {2: 3})],
            figures={"seconds": 2.0},
        ),
        Commit(
            train=frame([2], range(1, 7)),
            valid=frame([2], range(3, 4)),
            trials=[row(2, step=6)],
            kept=[stack("best", {1: 5})],
            running=[stack("running", {2: 6})],
            shares=[
                Share(trial=1, what="branch_best", of_trial=1, of_what="best", step=4)
            ],
        ),
        Commit(
            train=frame([2], range(7, 9)),
            trials=[row(2, step=8, status="complete")],
            kept=[stack("best", {2: 8}), stack("last", {2: 8})],
        ),
    ]
    told = [lambda writer, commit=commit: bring(writer, commit) for commit in commits]
    return [*told[:2], lambda writer: writer.restart([again]), *told[2:]]


class Watch:
    """Looks at the disk of a run before each of its writes.

    Attributes:
        disk: that a run is written on.
        look: what to do before a write.
        acknowledged: how many commits have returned.
    """

    def __init__(self) -> None:
        self.disk: Disk | None = None
        self.look: Callable[[], None] | None = None
        self.acknowledged = 0

    def before(self, function: Callable) -> Callable:
        """The function, looked at the disk before."""

        def wrapped(*args, **options):
            self._look()
            return function(*args, **options)

        return wrapped

    def flush(self, path: Path) -> None:
        """In place of that of `durable`."""
        self._look()
        if self.disk:
            self.disk.flush(path)

    def transaction(self, function: Callable) -> Callable:
        """One of the ledger, which is durable when it returns."""

        def wrapped(connection, *args, **options):
            self._look()
            function(connection, *args, **options)
            self.acknowledged += function is RECORD
            self._flush_ledger(connection)

        return wrapped

    @contextmanager
    def writing(self, directory: Path, **options):
        """In place of that of `database`: it may make a ledger."""
        self._look()
        with WRITING(directory, **options) as connection:
            self._flush_ledger(connection)
            connection.execute("pragma synchronous = off")  # the true disk's time
            yield connection

    def _look(self) -> None:
        look, self.look = self.look, None  # who looks may write
        if look:
            look()
        self.look = look

    def _flush_ledger(self, connection) -> None:
        if self.disk:
            (_, _, path) = connection.execute("pragma database_list").fetchone()
            self.disk.flush_ledger(Path(path).parent)


WRITING, RECORD = database.writing, database.record_commit


@pytest.fixture(scope="module")
def watch():
    watch = Watch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "flush", watch.flush)
        patch.setattr(database, "writing", watch.writing)
        patch.setattr(database, "add_files", watch.transaction(database.add_files))
        patch.setattr(database, "record_commit", watch.transaction(RECORD))
        patch.setattr(shutil, "rmtree", watch.before(shutil.rmtree))
        for name in ("replace", "unlink", "mkdir", "write_bytes"):
            patch.setattr(Path, name, watch.before(getattr(Path, name)))
        patch.setattr(snapshots, "save", watch.before(snapshots.save))
        yield watch


@pytest.fixture(scope="module")
def history(story, watch, tmp_path_factory) -> list[dict[str, Any]]:
    """What an uninterrupted run holds after each commit."""
    directory = tmp_path_factory.mktemp("uninterrupted") / RUN
    states = [{"number": 0}]
    for number in range(len(story)):
        _go_on(directory, story[: number + 1])
        states.append(contents(directory))
    return states


@pytest.fixture(scope="module")
def cuts(story, history, watch, tmp_path_factory) -> list[Cut]:
    """A cut before every write, and a second one while going on from some of them."""
    root, chance = tmp_path_factory.mktemp("cuts"), random.Random(0)
    first = root / "first"
    first.mkdir()
    cuts = _cut(first, story, watch, chance, lambda write: True)
    for cut in cuts[::EVERY]:
        at = chance.randrange(WRITES_TO_GO_ON)
        cuts += _cut(cut.place, story, watch, chance, lambda write, at=at: write == at)
    return cuts


def test_what_was_acknowledged_survives_and_nothing_else(cuts, history):
    assert len(cuts) > 200
    for cut in cuts:
        assert cut.found == history[cut.acknowledged], cut.place


def test_a_run_goes_on_from_any_cut_to_the_same_end(cuts, story, history):
    for cut in cuts:
        _go_on(cut.place / RUN, story)
        assert contents(cut.place / RUN) == history[-1], cut.place
        assert strangers(cut.place / RUN) == set(), cut.place


def _cut(
    place: Path,
    story: Sequence[Callable[[Writer], None]],
    watch: Watch,
    chance: random.Random,
    chosen: Callable[[int], bool],
) -> list[Cut]:
    """Goes on with a run, and lays out what power cuts before chosen writes leave.

    Args:
        place: of the run; the cuts lie beside it.
        story: all commits of the run.
        watch: over its writes.
        chance: decides what is left of what was not flushed.
        chosen: by the number of the write.
    """
    disk, writes, cuts = Disk(place), itertools.count(), []
    looked_at = None

    def look() -> None:
        nonlocal looked_at
        if chosen(write := next(writes)):
            # Where nothing was flushed since, the same is there for certain.
            ways = [] if looked_at == disk.flushes else [None]
            looked_at = disk.flushes
            for by in ways + [chance] * (write % EVERY == 0):
                left = place.with_name(f"{place.name}-{len(cuts)}")
                disk.after_power_cut(left, by)
                cuts.append(Cut(left, watch.acknowledged, contents(left / RUN)))

    watch.disk, watch.look, watch.acknowledged = disk, look, _number(place / RUN)
    try:
        _go_on(place / RUN, story)
    finally:
        watch.disk = watch.look = None
        disk.close()
    return cuts


def _go_on(directory: Path, story: Sequence[Callable[[Writer], None]]) -> None:
    """Starts a run again and again; each start brings two commits."""
    while True:
        with Writer(directory) as writer:
            writer.write_definition({"name": "digits"})
            writer.fix_schemas(train=SCHEMA, valid=SCHEMA)
            number = _number(directory)
            for bring in story[number : number + 2]:
                bring(writer)
        if number == len(story):
            return


def _number(directory: Path) -> int:
    """Of the last commit; 0 where there is no run."""
    try:
        return reader.read_ledger(directory).number
    except FileNotFoundError:
        return 0
