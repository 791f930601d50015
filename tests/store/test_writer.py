import concurrent.futures

import numpy as np
import polars as pl
import pytest

from tuner.store import durable, lock
from tuner.store.durable import DamagedError
from tuner.store.lock import LockedError
from tuner.store.reader import read_definition, read_ledger, read_state, read_table
from tuner.store.writer import Commit, Writer

SCHEMA = {"trial": pl.Int32, "step": pl.Int32, "loss": pl.Float32}


def snapshots(directory) -> list[str]:
    return sorted(path.stem for path in (directory / "snapshots").iterdir())


def test_a_commit_brings_all_it_holds(tmp_path, writer, row, stack, frame):
    train, valid = frame([1, 2], range(1, 4)), frame([1, 2], range(3, 4))
    writer.commit(
        Commit(
            train=train,
            valid=valid,
            trials=[row(1), row(2)],
            kept=[stack("best", {1: 2})],
            running=[stack("running", {1: 3, 2: 3})],
            figures={"seconds": 1.5},
        )
    )
    ledger = read_ledger(tmp_path)
    assert (ledger.number, ledger.figures) == (1, {"seconds": 1.5})
    assert ledger.trials == (row(1), row(2))
    assert read_table(tmp_path, "train").equals(train)
    assert read_table(tmp_path, "valid").equals(valid)
    assert read_state(tmp_path, 1, "best")[1]["step"] == 1002
    assert read_state(tmp_path, 2, "running")[1]["step"] == 2003


def test_a_definition_is_written_while_another_thread_commits(tmp_path, writer, frame):
    """What is half written is not swept away."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        parts = [frame([1], range(step, step + 1)) for step in range(1, 41)]
        committed = pool.submit(lambda: [writer.commit(Commit(train=p)) for p in parts])
        written = 0
        while not committed.done():
            written += 1
            writer.write_definition({"written": written})
        committed.result()
    assert read_definition(tmp_path)["written"] == written > 5
    assert read_table(tmp_path, "train").height == 40


def test_commits_append_rows(tmp_path, writer, frame):
    writer.commit(Commit(train=frame([1], range(1, 4))))
    writer.commit(Commit(train=frame([1], range(4, 9))))
    assert read_table(tmp_path, "train").equals(frame([1], range(1, 9)))


def test_columns_may_come_in_any_order(tmp_path, writer, frame):
    rows = frame([1], range(1, 4))
    writer.commit(Commit(train=rows.select("loss", "step", "trial")))
    assert read_table(tmp_path, "train").equals(rows)


def test_a_frame_without_rows_makes_no_part(tmp_path, writer, frame):
    writer.commit(Commit(train=frame([], range(0))))
    assert read_ledger(tmp_path).files.keys() == {
        "metrics/train/000000.parquet",
        "metrics/valid/000000.parquet",
    }


def test_a_running_state_replaces_the_one_before(tmp_path, writer, row, stack):
    writer.commit(Commit(trials=[row(1), row(2)], running=[stack("running", {1: 3})]))
    writer.commit(Commit(running=[stack("running", {2: 3})]))
    assert snapshots(tmp_path) == ["000001-0", "000002-0"]
    writer.commit(Commit(running=[stack("running", {1: 6})]))
    assert snapshots(tmp_path) == ["000002-0", "000003-0"]


def test_states_that_are_alike_and_kept_as_long_lie_in_one_file(
    tmp_path, writer, row, stack
):
    kept = [stack("last", {1: 6}), stack("branch", {1: 4}), stack("last", {3: 6})]
    running = [stack("running", {2: 3}), stack("running", {4: 3})]
    trials = [row(1), row(2), row(3), row(4)]
    writer.commit(Commit(trials=trials, kept=kept, running=running))
    assert snapshots(tmp_path) == ["000001-0", "000001-1"]
    assert read_state(tmp_path, 3, "last")[1]["params/w"].tolist() == [3006.0] * 3
    assert read_state(tmp_path, 4, "running")[1]["step"] == 4003


def test_a_running_state_of_another_trial_stays(tmp_path, writer, row, stack):
    writer.commit(
        Commit(trials=[row(1), row(2)], running=[stack("running", {1: 3, 2: 3})])
    )
    writer.commit(Commit(running=[stack("running", {2: 6})]))
    assert read_state(tmp_path, 1, "running")[0] == 3
    assert read_state(tmp_path, 2, "running")[0] == 6


def test_the_newest_state_of_a_kind_wins(tmp_path, writer, stack):
    writer.commit(Commit(kept=[stack("last", {1: 3, 2: 3})]))
    writer.commit(Commit(kept=[stack("last", {1: 6}), stack("last", {1: 7})]))
    assert read_state(tmp_path, 1, "last")[0] == 7
    assert read_state(tmp_path, 2, "last")[0] == 3


def test_a_snapshot_stays_while_a_state_lies_in_it(tmp_path, writer, stack):
    writer.commit(Commit(kept=[stack("last", {1: 3, 2: 3})]))
    writer.commit(Commit(kept=[stack("last", {1: 6})]))
    assert snapshots(tmp_path) == ["000001-0", "000002-0"]
    writer.commit(Commit(kept=[stack("last", {2: 9})]))
    assert snapshots(tmp_path) == ["000002-0", "000003-0"]


def test_what_is_saved_ahead_counts_once_a_commit_names_it(tmp_path, writer, stack):
    saved = writer.save([stack("last", {1: 5}), stack("branch", {1: 3})])
    assert len(snapshots(tmp_path)) == 1
    assert not read_ledger(tmp_path).entries
    writer.commit(Commit(kept=[stack("last", {2: 6})]), saved)
    assert read_state(tmp_path, 1, "branch")[0] == 3
    assert read_state(tmp_path, 1, "last")[1]["step"] == 1005
    assert read_state(tmp_path, 2, "last")[1]["step"] == 2006


def test_a_commits_own_states_are_newer_than_those_saved_ahead(tmp_path, writer, stack):
    saved = writer.save([stack("best", {1: 5})])
    writer.commit(Commit(kept=[stack("best", {1: 6})]), saved)
    assert read_state(tmp_path, 1, "best")[0] == 6
    assert len(snapshots(tmp_path)) == 1


def test_what_is_saved_ahead_and_not_named_is_swept_away(tmp_path, writer, stack):
    """As what a driver has saved whose device ran out of memory."""
    writer.save([stack("last", {1: 5})])
    writer.commit(Commit(kept=[stack("last", {2: 5})]))
    assert {p.entry.trial for p in read_ledger(tmp_path).entries} == {2}
    assert len(snapshots(tmp_path)) == 1


def test_another_writer_sweeps_what_was_saved_ahead(tmp_path, stack):
    with Writer(tmp_path) as writer:
        writer.save([stack("last", {1: 5})])
    Writer(tmp_path).close()
    assert not snapshots(tmp_path)


def test_numbers_go_on_where_the_last_writer_ended(tmp_path):
    for _ in range(2):
        with Writer(tmp_path) as writer:
            writer.commit(Commit())
    assert read_ledger(tmp_path).number == 2


def test_columns_are_fixed_for_later_writers(tmp_path, frame):
    with Writer(tmp_path) as writer:
        writer.fix_schemas(train=SCHEMA, valid=SCHEMA)
    with Writer(tmp_path) as writer:
        writer.commit(Commit(train=frame([1], range(1, 4))))
        writer.fix_schemas(train=SCHEMA, valid=SCHEMA)
    assert read_table(tmp_path, "train").height == 3


def test_columns_fixed_again_and_otherwise_are_refused(writer):
    message = "the columns of table `valid` must stay .* 'loss' is missing"
    with pytest.raises(ValueError, match=message):
        writer.fix_schemas(train=SCHEMA, valid={"trial": pl.Int32, "step": pl.Int32})


def test_a_frame_that_does_not_fit_is_refused_and_nothing_written(
    tmp_path, writer, stack, frame
):
    wide = frame([1], range(3)).cast({"loss": pl.Float64})
    with pytest.raises(ValueError, match="'loss' is Float64 instead of Float32"):
        writer.commit(Commit(train=wide, kept=[stack("best", {1: 1})]))
    assert snapshots(tmp_path) == []


def test_rows_before_their_columns_are_refused(tmp_path, frame):
    message = "`train` must be fixed before its first row; call `fix_schemas`"
    with Writer(tmp_path) as writer, pytest.raises(ValueError, match=message):
        writer.commit(Commit(train=frame([1], range(3))))


@pytest.mark.parametrize(
    ("argument", "what"), [("kept", "running"), ("running", "best")]
)
def test_a_state_in_the_wrong_place_is_refused(stack, argument, what):
    message = (
        "`running` must hold all running states and no others, but got"
        rf" \(trial=7, what='{what}'\) in `{argument}`"
    )
    with pytest.raises(ValueError, match=message):
        Commit(**{argument: [stack(what, {7: 1})]})


def test_a_writer_keeps_others_out(tmp_path, writer, monkeypatch):
    monkeypatch.setattr("tuner.store.lock.PATIENCE_SECONDS", 0.0)
    with pytest.raises(LockedError):
        Writer(tmp_path)


def test_a_closed_writer_lets_others_in(tmp_path):
    Writer(tmp_path).close()
    Writer(tmp_path).close()


def test_a_writer_refused_for_damage_deletes_nothing_and_holds_no_lock(
    tmp_path, writer, frame, flip
):
    writer.commit(Commit(train=frame([1], range(3))))
    writer.close()
    ledger = tmp_path / "trials.sqlite"
    sound = ledger.read_bytes()
    ledger.write_bytes(sound.replace(b"train/000001", b"train/000009"))
    with pytest.raises(durable.DamagedError):
        Writer(tmp_path)
    ledger.write_bytes(sound)
    with Writer(tmp_path):
        assert read_table(tmp_path, "train").height == 3


def test_what_no_row_names_is_swept_away(tmp_path):
    Writer(tmp_path).close()
    (tmp_path / "tmp/snapshots-000001-0.npz").touch()
    (tmp_path / "snapshots/000001-0.npz").mkdir()
    (tmp_path / "snapshots/000001-0.npz/inside").touch()
    (tmp_path / "snapshots/000001-1.npz").touch()
    (tmp_path / "metrics/train/000001.parquet").touch()
    Writer(tmp_path).close()
    files = {path.name for path in tmp_path.rglob("*") if not path.is_dir()}
    assert files == {"lock", "trials.sqlite"}


def test_a_writer_goes_on_after_a_commit_that_failed(
    tmp_path, writer, stack, frame, monkeypatch
):
    commit = Commit(train=frame([1], range(3)), kept=[stack("best", {1: 2})])

    def full(*_):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write_durably", full)
        with pytest.raises(OSError, match="No space left"):
            writer.commit(commit)
    assert read_ledger(tmp_path).number == 0
    writer.commit(commit)
    assert read_ledger(tmp_path).number == 1
    assert snapshots(tmp_path) == ["000001-0"]


def test_the_definition_comes_back(tmp_path, writer):
    writer.write_definition({"name": "digits", "seed": 0})
    assert read_definition(tmp_path) == {"name": "digits", "seed": 0}


def test_a_number_of_numpy_is_refused(writer, row):
    with pytest.raises(TypeError, match="float32 is not JSON serializable"):
        writer.commit(Commit(trials=[row(1, schedule={"peak": np.float32(0.1)})]))


def test_every_file_can_be_checked_by_other_tools(tmp_path, writer, stack, frame):
    writer.commit(
        Commit(train=frame([1], range(3)), running=[stack("running", {1: 2})])
    )
    named = read_ledger(tmp_path).files
    present = {
        path.relative_to(tmp_path).as_posix()
        for folder in ("metrics", "snapshots")
        for path in (tmp_path / folder).rglob("*")
        if path.is_file()
    }
    assert named.keys() == present


@pytest.mark.parametrize("name", ["tmp/thesis.txt", "snapshots/model.pt"])
def test_a_run_never_begins_among_files_of_others(tmp_path, name):
    theirs = tmp_path / "mine" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("years of work")
    with pytest.raises(FileExistsError, match="was made by no run"):
        Writer(tmp_path / "mine")
    assert theirs.read_text() == "years of work"


def test_a_trial_that_begins_anew_leaves_nothing(tmp_path, writer, row, stack, frame):
    writer.commit(
        Commit(
            train=frame([1, 2], range(1, 4)),
            valid=frame([2], range(3, 4)),
            trials=[row(1, step=3), row(2, step=3)],
            kept=[stack("branch", {1: 2, 2: 2})],
            running=[stack("running", {1: 3, 2: 3})],
            figures={"seconds": 1.5},
        )
    )
    writer.commit(Commit(train=frame([2], range(4, 6))))
    read_before = read_ledger(tmp_path)
    writer.restart([row(1, status="waiting", note="anew")])
    ledger = read_ledger(tmp_path)
    assert (ledger.number, ledger.figures) == (3, {})  # as the last commit said
    assert ledger.trials == (row(1, status="waiting", note="anew"), row(2, step=3))
    assert {(e.trial, e.what) for e, _, _ in ledger.entries} == {
        (2, "branch"),
        (2, "running"),
    }
    assert read_table(tmp_path, "train").equals(frame([2], range(1, 6)))
    assert read_table(tmp_path, "valid").equals(frame([2], range(3, 4)))
    assert sorted(path.name for path in (tmp_path / "metrics/train").iterdir()) == [
        "000000.parquet",
        "000002.parquet",
        "000003.parquet",
    ]
    # A reader whose ledger still names the replaced part reads what there is now.
    again = read_table(tmp_path, "train", read_before)
    assert again.equals(frame([2], range(1, 6)))


def test_what_is_known_to_be_damaged_is_forgotten_with_whose_it_was(
    tmp_path, writer, row, stack, frame
):
    for step in (1, 2, 3):
        commit = Commit(
            train=frame([step], range(1, 3)),
            trials=[row(step, step=2)],
            kept=[stack("last", {step: 2})],
        )
        writer.commit(commit)
    writer.close()
    damaged = ["metrics/train/000000.parquet", "metrics/valid/000000.parquet"]
    (tmp_path / damaged[0]).unlink()
    (tmp_path / damaged[1]).unlink()
    (tmp_path / damaged[1]).mkdir()
    damaged += ["metrics/train/000002.parquet", "snapshots/000003-0.npz"]
    with pytest.raises(DamagedError):
        Writer(tmp_path)
    with Writer(tmp_path, damaged=damaged) as mending:
        mending.fix_schemas(train=SCHEMA, valid=SCHEMA)
        mending.restart([row(2, status="waiting"), row(3, status="waiting")])
    ledger = read_ledger(tmp_path)
    parts = {path for path in ledger.files if path.startswith("metrics")}
    assert parts == {*damaged[:2], "metrics/train/000001.parquet"}
    assert [place.entry.trial for place in ledger.entries] == [1]
    assert read_table(tmp_path, "train").equals(frame([1], range(1, 3)))
    assert read_table(tmp_path, "valid").height == 0
    assert snapshots(tmp_path) == ["000001-0"]


def test_who_has_just_begun_a_run_is_no_stranger_to_the_second_writer(tmp_path):
    """It holds the lock, and may have made its ledger a moment later."""
    with lock.hold(tmp_path):
        (tmp_path / "tmp").mkdir()
        (tmp_path / "tmp" / "study.json").touch()
        with pytest.raises(LockedError):
            Writer(tmp_path)
