"""How much of what is dead still lies on the disk, and that nothing living is lost."""

import numpy as np
import pytest

from tuner.store.durable import DamagedError
from tuner.store.reader import MissingStateError, read_ledger, read_state
from tuner.store.writer import Commit


@pytest.fixture
def ended(writer, row, stack):
    """Four trials that have ended; two states of each, all in two snapshots."""
    steps = dict.fromkeys(range(4), 9)
    trials = [row(trial, status="complete") for trial in steps]
    writer.commit(Commit(trials=trials, kept=[stack("last", steps)]))
    writer.commit(Commit(kept=[stack("branch", steps)]))
    return writer


def lying(directory) -> dict[str, int]:
    """Rows of every snapshot on the disk."""
    files = read_ledger(directory).files
    return {
        path.stem: files[f"snapshots/{path.name}"].rows
        for path in sorted((directory / "snapshots").iterdir())
    }


def test_a_dropped_state_is_kept_no_more(tmp_path, ended):
    ended.commit(Commit(dropped=[(2, "branch")]))
    with pytest.raises(MissingStateError, match="no state 'branch'"):
        read_state(tmp_path, 2, "branch")
    assert read_state(tmp_path, 2, "last")[1]["step"] == 2009
    assert read_state(tmp_path, 1, "branch")[1]["step"] == 1009


def test_a_snapshot_goes_with_its_last_state(tmp_path, ended):
    ended.commit(Commit(dropped=[(trial, "branch") for trial in range(4)]))
    assert lying(tmp_path) == {"000001-0": 4}


def test_half_alive_stays_where_it_is(tmp_path, ended):
    ended.commit(Commit(dropped=[(0, "branch"), (2, "branch")]))
    assert lying(tmp_path) == {"000001-0": 4, "000002-0": 4}


def test_less_than_half_alive_is_saved_anew(tmp_path, ended):
    ended.commit(Commit(dropped=[(trial, "branch") for trial in (0, 2, 3)]))
    assert lying(tmp_path) == {"000001-0": 4, "000003-0": 1}
    step, arrays = read_state(tmp_path, 1, "branch")
    assert step == 9
    assert np.array_equal(arrays["params/w"], np.full(3, 1009, "f"))


def test_what_is_replaced_is_dead_as_well(tmp_path, ended, stack):
    ended.commit(Commit(kept=[stack("last", {0: 11, 1: 11, 2: 11})]))
    assert lying(tmp_path) == {"000002-0": 4, "000003-0": 4}
    steps = [read_state(tmp_path, trial, "last")[0] for trial in range(4)]
    assert steps == [11, 11, 11, 9]


def test_what_lies_on_the_disk_is_at_most_twice_what_counts(tmp_path, ended):
    rng = np.random.default_rng(0)
    states = [(trial, what) for trial in range(4) for what in ("last", "branch")]
    while states:
        gone = states.pop(rng.integers(len(states)))
        ended.commit(Commit(dropped=[gone]))
        assert sum(lying(tmp_path).values()) <= 2 * len(states)


def test_a_damaged_snapshot_stays_as_it_is(tmp_path, ended):
    victim = tmp_path / "snapshots/000002-0.npz"
    victim.write_bytes(b"")
    ended.commit(Commit(dropped=[(trial, "branch") for trial in (0, 2, 3)]))
    assert lying(tmp_path) == {"000001-0": 4, "000002-0": 4}
    with pytest.raises(DamagedError, match=victim.name):
        read_state(tmp_path, 1, "branch")
