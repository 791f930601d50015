import itertools
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tuner.store import reader
from tuner.store.durable import DamagedError
from tuner.store.writer import Commit, Writer


@pytest.fixture
def run(tmp_path, writer, row, stack, frame):
    """The directory of a run after one commit; `writer` is still open."""
    writer.commit(
        Commit(
            train=frame([2, 1], range(1, 4)),
            trials=[row(1), row(2)],
            kept=[stack("best", {1: 2, 2: 1}), stack("last", {1: 3})],
            running=[stack("running", {2: 3})],
        )
    )
    return tmp_path


def test_a_table_is_sorted_by_trial_and_step(run, frame):
    assert reader.read_table(run, "train").equals(frame([1, 2], range(1, 4)))


def test_a_table_without_rows_has_its_columns(run, frame):
    assert reader.read_table(run, "valid").equals(frame([], range(0)))


def test_a_state_is_the_row_of_its_trial(run):
    step, arrays = reader.read_state(run, 2, "best")
    assert step == 1
    assert arrays.keys() == {"params/w", "step"}
    np.testing.assert_array_equal(arrays["params/w"], np.full(3, 2001, np.float32))


def test_a_single_number_of_a_state_is_an_array(run):
    _, arrays = reader.read_state(run, 2, "best")
    assert isinstance(arrays["step"], np.ndarray)
    assert (arrays["step"].shape, arrays["step"].dtype) == ((), np.int32)


def test_all_states_of_a_kind_come_in_stacks(run):
    [stack] = reader.read_states(run, "best")
    trials = [entry.trial for entry in stack.entries]
    assert dict(zip(trials, stack.arrays["step"], strict=True)) == {1: 1002, 2: 2001}


def test_states_replaced_since_are_in_no_stack(run, writer, stack):
    writer.commit(Commit(kept=[stack("best", {1: 9})]))
    steps = [
        (entry.trial, entry.step)
        for stack in reader.read_states(run, "best")
        for entry in stack.entries
    ]
    assert sorted(steps) == [(1, 9), (2, 1)]


def test_a_ledger_read_before_gives_the_table_of_then(run, writer, frame):
    ledger = reader.read_ledger(run)
    writer.commit(Commit(train=frame([1], range(4, 7))))
    assert reader.read_table(run, "train", ledger).height == 6


@pytest.fixture
def outrun(monkeypatch):
    """A function that makes the next commits, each before a snapshot is read."""
    read, waiting = reader.read_snapshot, []

    def commit_first(*arguments):
        if commit := next(waiting[0], None):
            commit()
        return read(*arguments)

    monkeypatch.setattr(reader, "read_snapshot", commit_first)
    return lambda commits: waiting.append(iter(commits))


def at_step(writer, stack, step):
    """A commit that replaces the running state of trial 2."""
    return lambda: writer.commit(Commit(running=[stack("running", {2: step})]))


def test_a_state_removed_each_time_it_is_read_is_looked_up_anew(
    run, writer, stack, outrun
):
    outrun(at_step(writer, stack, step) for step in (6, 9, 12))
    assert reader.read_state(run, 2, "running")[0] == 12


def test_a_state_that_becomes_another_while_it_is_read_is_that_one(
    run, writer, stack, row, outrun
):
    ended = Commit(
        trials=[row(2, step=6, status="complete")],
        kept=[stack("best", {2: 5}), stack("last", {2: 6})],
    )
    outrun([lambda: writer.commit(ended)])
    assert reader.read_state(run, 2, "running", "last", "best")[0] == 6


def test_a_reader_that_is_always_outrun_gives_up(run, writer, stack, outrun):
    outrun(at_step(writer, stack, step) for step in itertools.count(6))
    with pytest.raises(DamagedError, match="is missing"):
        reader.read_state(run, 2, "running")


def test_a_run_with_a_writer_is_running(run, writer):
    assert reader.is_running(run)
    writer.close()
    assert not reader.is_running(run)


def test_a_read_only_copy_is_read_and_nothing_written(run, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copies") / "run"
    shutil.copytree(run, copy)
    paths = sorted(copy.rglob("*"), reverse=True)
    for path in [*paths, copy]:
        path.chmod(path.stat().st_mode & ~0o222)
    assert reader.read_ledger(copy) == reader.read_ledger(run)
    assert reader.read_table(copy, "train").equals(reader.read_table(run, "train"))
    assert reader.read_state(copy, 1, "last")[0] == 3
    assert not reader.is_running(copy)
    assert sorted(copy.rglob("*"), reverse=True) == paths


def test_nothing_that_is_read_needs_jax(run):
    program = """
import pathlib, sys
from tuner.store import reader
run = pathlib.Path(sys.argv[1])
reader.read_table(run, "train")
reader.read_state(run, 1, "last")
assert not {"jax", "jaxlib"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", program, run], check=True)


def test_a_flipped_bit_in_a_part_names_it_and_what_is_lost(run, flip):
    flip(run / "metrics/train/000001.parquet", 1234)
    message = r"000001.parquet` does not match its sha256, so 6 rows of table `train`"
    with pytest.raises(DamagedError, match=message):
        reader.read_table(run, "train")


def test_a_flipped_bit_in_a_snapshot_names_it_and_whose_states_are_lost(run, flip):
    file = run / "snapshots/000001-0.npz"
    flip(file, 77)
    message = f"{file}` does not match its sha256, so a state of trial 1, 2 cannot"
    with pytest.raises(DamagedError, match=message):
        reader.read_state(run, 2, "best")


def test_a_missing_part_is_damage(run):
    (run / "metrics/train/000001.parquet").unlink()
    with pytest.raises(DamagedError, match=r"000001.parquet` is missing, so 6 rows"):
        reader.read_table(run, "train")


def test_a_missing_state_is_told_which_there_are(run):
    kept = r"'best' \(step 2\), 'last' \(step 3\)"
    message = f"trial 1 keeps no state 'branch'; it keeps {kept}"
    with pytest.raises(reader.MissingStateError, match=message):
        reader.read_state(run, 1, "branch")


def test_a_trial_without_states_is_told_so(run):
    message = "trial 9 keeps no state 'best'; it keeps none"
    with pytest.raises(reader.MissingStateError, match=message):
        reader.read_state(run, 9, "best")


def test_an_unknown_kind_of_state_is_refused(run):
    with pytest.raises(ValueError, match=r"`what` must be one of 'best', .* 'bset'"):
        reader.read_state(run, 1, "bset")


def test_an_unknown_table_is_refused(run):
    with pytest.raises(ValueError, match="`name` must be one of 'train', 'valid', but"):
        reader.read_table(run, "trian")


@pytest.mark.parametrize(
    ("read", "missing"),
    [(reader.read_ledger, "trials.sqlite"), (reader.read_definition, "study.json")],
)
def test_a_directory_without_a_run_is_refused(tmp_path, read, missing):
    message = f"`{tmp_path}` must hold a run, but has no {missing}; make one: tuner run"
    with pytest.raises(FileNotFoundError, match=message):
        read(tmp_path)


def test_a_table_before_its_columns_are_fixed_is_refused(tmp_path):
    Writer(tmp_path).close()
    with pytest.raises(FileNotFoundError, match="columns of table `train` fixed"):
        reader.read_table(tmp_path, "train")
