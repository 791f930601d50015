import re
import shutil
import sqlite3
import zlib
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.store import database
from tuner.store.durable import DamagedError
from tuner.store.format import FORMAT
from tuner.store.ledger import FileRow, Place, Share
from tuner.store.snapshots import Entry

FIGURES = {"seconds": 1.5, "compilations": {"g0": 1}}
NAME = "metrics/train/000001.parquet"
PART = FileRow(path=NAME, rows=3, sha256="b")


def snapshot(number: int) -> FileRow:
    return FileRow(path=f"snapshots/{number}", rows=1, sha256="b")


def place(trial: int, what: str, step: int, number: int) -> Place:
    entry = Entry(trial=trial, what=what, step=step)
    return Place(entry, f"snapshots/{number}", 0)


def commit(directory, number=1, trials=(), files=(), places=(), **others):
    with database.writing(directory) as connection:
        database.record_commit(
            connection,
            number=number,
            trials=trials,
            files=files,
            places=places,
            **{"figures": FIGURES} | others,
        )


@pytest.fixture
def run(tmp_path, row):
    """The directory of a run with one commit."""
    files = [PART, snapshot(1)]
    commit(tmp_path, 1, [row(1), row(2)], files, [place(1, "best", 5, number=1)])
    return tmp_path


def test_what_was_recorded_is_read(run, row):
    ledger = database.read(run)
    assert ledger.number == 1
    assert ledger.trials == (row(1), row(2))
    assert ledger.files == {PART.path: PART, "snapshots/1": snapshot(1)}
    assert ledger.entries == (place(1, "best", 5, number=1),)
    assert ledger.figures == FIGURES


def test_there_is_none_before_a_writer(tmp_path):
    assert database.read(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_there_is_none_in_the_file_of_a_writer_killed_at_birth(tmp_path):
    (tmp_path / "trials.sqlite").touch()
    assert database.read(tmp_path) is None


def test_a_new_one_is_empty(tmp_path):
    with database.writing(tmp_path):
        ledger = database.read(tmp_path)
    assert (ledger.number, ledger.trials, dict(ledger.files)) == (0, (), {})


REALS = st.none() | st.floats(allow_nan=False)
VALUES = st.none() | st.booleans() | st.integers() | st.text() | REALS


@settings(max_examples=50)  # each is a commit to the disk
@given(
    best_objective=REALS,
    final_objective=REALS,
    parent=st.none() | st.integers(0, 2**31),
    hyperparams=st.dictionaries(st.text(), VALUES, max_size=3).filter(
        lambda d: all(abs(v) != float("inf") for v in d.values() if type(v) is float)
    ),
    note=st.text(st.characters(codec="utf-8")),
)
def test_any_trial_comes_back(tmp_path_factory, row, **changes):
    directory = tmp_path_factory.mktemp("run")
    commit(directory, trials=[row(1, **changes)])
    assert database.read(directory).trials == (row(1, **changes),)


@pytest.mark.parametrize("number", [-0.0, 1.0, 5e-324, float("inf"), float("-inf")])
def test_a_number_that_sqlite_stores_otherwise_comes_back(tmp_path, row, number):
    commit(tmp_path, trials=[row(1, best_objective=number)])
    assert database.read(tmp_path).trials[0].best_objective == number


def test_an_objective_that_is_no_number_comes_back_as_none(tmp_path, row):
    commit(tmp_path, trials=[row(1, final_objective=float("nan"))])
    assert database.read(tmp_path).trials[0].final_objective is None


def test_a_trial_replaces_its_row(run, row):
    done = row(1, status="complete", step=100)
    commit(run, 2, [done])
    assert database.read(run).trials == (done, row(2))


def test_a_state_replaces_the_one_of_its_kind(run):
    newer = place(1, "best", 9, number=2)
    commit(run, 2, files=[snapshot(2)], places=[newer, place(1, "last", 9, number=2)])
    assert database.read(run).entries == (newer, place(1, "last", 9, number=2))


def test_a_snapshot_is_forgotten_once_no_state_lies_in_it(run):
    newer = place(1, "best", 9, number=2)
    commit(run, 2, files=[snapshot(2)], places=[newer])
    assert database.read(run).files.keys() == {PART.path, "snapshots/2"}


def share(trial, what, of_trial, of_what, step=5):
    names = {"trial": trial, "what": what, "of_trial": of_trial, "of_what": of_what}
    return Share(**names, step=step)


def test_a_shared_state_is_the_one_before_this_commit_and_stays(run):
    """Trial 2 takes what trial 1 has just taken from its own best."""
    shares = [share(1, "branch_best", 1, "best"), share(2, "best", 1, "branch_best")]
    newer = place(1, "best", 9, number=2)
    commit(run, 2, files=[snapshot(2)], places=[newer], shares=shares)
    ledger = database.read(run)
    assert set(ledger.entries) == {
        newer,
        place(1, "branch_best", 5, number=1),
        place(2, "best", 5, number=1),
    }
    assert "snapshots/1" in ledger.files


@pytest.mark.parametrize(("of_trial", "step"), [(2, 5), (1, 6)])
def test_what_is_not_there_cannot_be_shared(run, of_trial, step):
    rule = f"trial {of_trial} keeps no 'best' of step {step} for trial 2"
    with pytest.raises(LookupError, match=rule):
        commit(run, 2, shares=[share(2, "best", of_trial, "best", step)])
    assert database.read(run).number == 1


def test_a_running_state_lasts_as_long_as_its_trial_runs(run, row):
    running = place(2, "running", 7, number=2)
    commit(run, 2, trials=[row(2)], files=[snapshot(2)], places=[running])
    commit(run, 3)
    assert running in database.read(run).entries
    commit(run, 4, trials=[row(2, status="complete")])
    assert running not in database.read(run).entries


def test_files_named_between_commits_leave_the_rest_as_it_was(run):
    before = database.read(run)
    with database.writing(run) as connection:
        database.add_files(connection, [snapshot(7)])
    after = database.read(run)
    assert after.files == before.files | {"snapshots/7": snapshot(7)}
    assert (after.number, after.figures) == (before.number, before.figures)


def test_a_transaction_that_fails_changes_nothing(run, row):
    before = database.read(run)
    with pytest.raises(ValueError, match="not JSON compliant"):
        commit(run, 2, [row(3)], figures={"seconds": float("nan")})
    assert database.read(run) == before


def test_no_journal_and_no_wal_is_left(run):
    assert [path.name for path in run.iterdir()] == ["trials.sqlite"]


def test_reading_writes_nothing(run):
    before = (run / "trials.sqlite").stat()
    database.read(run)
    assert (run / "trials.sqlite").stat().st_mtime_ns == before.st_mtime_ns
    assert [path.name for path in run.iterdir()] == ["trials.sqlite"]


def test_a_read_only_copy_is_read(run, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copies") / "run"
    shutil.copytree(run, copy)
    for path in (copy / "trials.sqlite", copy):
        path.chmod(path.stat().st_mode & ~0o222)
    assert database.read(copy) == database.read(run)


def test_a_copy_of_a_ledger_in_mid_transaction_is_as_before_it(run, row, tmp_path):
    """The copy's journal is hot: it must be rolled back, as after a kill."""
    before = database.read(run)
    (tmp_path / "copy").mkdir()
    with closing(sqlite3.connect(run / "trials.sqlite")) as writer:
        writer.execute("pragma cache_size = 1")  # spills to the file at once
        writer.execute("update trials set note = hex(zeroblob(9999))")
        writer.execute("update files set sha256 = hex(zeroblob(9999))")
        for path in run.glob("trials.sqlite*"):
            shutil.copy(path, tmp_path / "copy")
    assert (tmp_path / "copy" / "trials.sqlite-journal").exists()
    assert database.read(tmp_path / "copy") == before


def test_no_flipped_bit_gives_other_numbers(run, flip):
    path, before = run / "trials.sqlite", database.read(run)
    noticed = []
    for bit in np.random.default_rng(0).integers(8 * path.stat().st_size, size=300):
        flip(path, int(bit))
        try:
            assert database.read(run) == before  # most of a page is unused
        except DamagedError as error:
            noticed.append(error.damage)
        flip(path, int(bit))
    assert len(noticed) > 15
    assert all("\n" not in damage for damage in noticed)


def test_a_path_that_is_wrong_in_an_index_alone_is_noticed(run):
    """By an index a writer finds what is named, and removes the rest."""
    path, sound = run / "trials.sqlite", (run / "trials.sqlite").read_bytes()
    places = [found.start() for found in re.finditer(NAME.encode(), sound)]
    assert len(places) == 2  # the row, and the index
    for place in places:
        path.write_bytes(sound[:place] + b"M" + sound[place + 1 :])
        with pytest.raises(DamagedError):
            database.read(run)


def change(run, statement: str) -> None:
    with closing(sqlite3.connect(run / "trials.sqlite")) as connection, connection:
        connection.execute(statement)


def test_a_changed_row_is_refused(run):
    change(run, "update trials set step = 99 where trial = 2")
    message = (
        "`.*/trials.sqlite` has a row of `trials` that does not match its checksum,"
        " so the row of 2 cannot be read"
    )
    with pytest.raises(DamagedError, match=message):
        database.read(run)


def test_a_lost_row_is_noticed(run):
    change(run, "delete from trials where trial = 2")
    with pytest.raises(DamagedError, match="must hold 2 rows in `trials`, but holds 1"):
        database.read(run)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "trials.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(DamagedError, match=r"is no sound database \(file is not a"):
        database.read(tmp_path)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(FORMAT - 1, "the version that wrote it of"), (FORMAT + 1, "a newer version of")],
)
def test_another_format_is_refused(tmp_path, monkeypatch, number, remedy):
    monkeypatch.setattr(database, "FORMAT", number)
    commit(tmp_path)
    monkeypatch.undo()
    message = (
        rf"the format of a run must be {FORMAT} to be read here, but `.*trials.sqlite` "
        rf"says {number}; read it, or go on with it, with {remedy} jax-tuner"
    )
    with pytest.raises(ValueError, match=message):
        database.read(tmp_path)


def test_the_format_is_read_before_tables_that_another_may_not_have(tmp_path):
    """The ledger of the first format, as far as it must be known for ever."""
    with closing(sqlite3.connect(tmp_path / "trials.sqlite")) as old, old:
        old.execute("create table run (id, format, number, checksum)")
        values = 0, 1, 7
        row = *values, zlib.crc32(repr(values).encode())
        old.execute("insert into run values (?, ?, ?, ?)", row)
    with pytest.raises(ValueError, match="the format of a run must be"):
        database.read(tmp_path)


def test_a_sound_row_of_an_earlier_commit_is_noticed(run, row):
    """As where a damaged journal is rolled back in part."""
    with closing(sqlite3.connect(run / "trials.sqlite")) as ledger:
        [before] = ledger.execute("select * from trials where trial = 2").fetchall()
    commit(run, 2, [row(2, step=9)])
    with closing(sqlite3.connect(run / "trials.sqlite")) as ledger, ledger:
        marks = ", ".join("?" * len(before))
        ledger.execute(f"insert or replace into trials values ({marks})", before)
    with pytest.raises(DamagedError, match="has rows of several commits in `trials`"):
        database.read(run)


@pytest.mark.parametrize("path", ["../a", "/etc/a", "tmp/a", "metrics/../../a", "a"])
def test_a_path_that_leaves_the_run_is_refused_when_written_and_when_read(
    tmp_path, monkeypatch, path
):
    message = r"`path` must lie in metrics or snapshots, but got"
    with pytest.raises(ValueError, match=message):
        FileRow(path=path, rows=1, sha256="b")
    with monkeypatch.context() as patch:
        patch.setattr(FileRow, "__post_init__", lambda self: None)
        commit(tmp_path, files=[FileRow(path=path, rows=1, sha256="b")])
    with pytest.raises(DamagedError, match=rf"trials.sqlite` says .*{message}"):
        database.read(tmp_path)


@pytest.mark.parametrize("number", [3, 1])
def test_a_state_that_lies_nowhere_is_refused(run, number):
    nowhere = Place(Entry(trial=2, what="best", step=5), f"snapshots/{number}", 1)
    commit(run, 2, places=[nowhere])
    with pytest.raises(DamagedError, match=r"says what cannot be \(a state must lie"):
        database.read(run)


@pytest.mark.parametrize("name", ["trials.sqlite", "trials.sqlite-journal"])
def test_a_folder_in_place_of_the_ledger_is_damage(run, name):
    (run / name).unlink(missing_ok=True)
    (run / name).mkdir()
    with pytest.raises(DamagedError, match=rf"{name}` is no file, so what the"):
        database.read(run)


def test_a_ledger_that_leads_elsewhere_is_damage(run, tmp_path_factory):
    elsewhere = (run / "trials.sqlite").rename(tmp_path_factory.mktemp("a") / "b")
    (run / "trials.sqlite").symlink_to(elsewhere)
    with pytest.raises(DamagedError, match=r"trials.sqlite` leads out of the run's"):
        database.read(run)


def test_a_ledger_that_cannot_be_opened_is_no_damage(run, monkeypatch):
    def fails(*arguments, **options):
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error

    monkeypatch.setattr(sqlite3, "connect", fails)
    with pytest.raises(OSError, match=r"trials.sqlite` cannot be read now \(unable to"):
        database.read(run)
