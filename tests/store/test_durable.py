import errno
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.store import durable


@pytest.fixture
def run(tmp_path: Path) -> Path:
    durable.make_folders(tmp_path / "run", ["tmp", "metrics/train", "snapshots"])
    return tmp_path / "run"


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was flushed and what was moved, in order."""
    order = []
    flush, replace = durable.flush, Path.replace
    monkeypatch.setattr(
        durable, "flush", lambda path: (order.append(("flush", path.name)), flush(path))
    )
    monkeypatch.setattr(
        Path,
        "replace",
        lambda self, to: (order.append(("move", self.name)), replace(self, to)),
    )
    return order


def test_a_written_file_holds_its_bytes(run):
    durable.write_durably(run, "metrics/train/000001.parquet", b"rows")
    assert (run / "metrics/train/000001.parquet").read_bytes() == b"rows"


def test_a_written_file_comes_with_its_sha256(run):
    sha256 = durable.write_durably(run, "study.json", b"rows")
    assert sha256 == hashlib.sha256(b"rows").hexdigest()


def test_a_written_file_replaces_an_earlier_one(run):
    durable.write_durably(run, "study.json", b"old")
    durable.write_durably(run, "study.json", b"new")
    assert (run / "study.json").read_bytes() == b"new"


def test_a_file_is_flushed_then_moved_then_its_folder_flushed(run, order):
    durable.write_durably(run, "metrics/train/1", b"rows")
    assert order == [
        ("flush", "metrics-train-1"),
        ("move", "metrics-train-1"),
        ("flush", "train"),
    ]


def test_what_another_has_drafted_is_published(run, order):
    durable.draft(run, "snapshots/1").write_bytes(b"A")
    durable.publish(run, "snapshots/1")
    assert [each for each, _ in order] == ["flush", "move", "flush"]
    assert (run / "snapshots/1").read_bytes() == b"A"


def test_nothing_is_left_of_a_draft(run):
    durable.write_durably(run, "snapshots/1", b"A")
    assert list((run / "tmp").iterdir()) == []


def test_a_file_as_it_was_written_is_read(run):
    sha256 = durable.write_durably(run, "study.json", b"rows")
    data = durable.read_verified(run, "study.json", sha256, "rows")
    assert data == b"rows"


@given(data=st.binary(min_size=1, max_size=64), bit=st.integers(0, 511))
def test_any_flipped_bit_is_noticed(tmp_path_factory, flip, data, bit):
    folder = tmp_path_factory.mktemp("flipped")
    (folder / "file").write_bytes(data)
    flip(folder / "file", bit)
    sha256 = hashlib.sha256(data).hexdigest()
    with pytest.raises(durable.DamagedError):
        durable.read_verified(folder, "file", sha256, "rows")


def test_a_damaged_file_is_named_with_what_is_lost(run):
    (run / "study.json").write_bytes(b"rows")
    message = (
        "`.*/study.json` does not match its sha256, so 3 rows cannot be read;"
        " put the file back from a copy of the run"
    )
    with pytest.raises(durable.DamagedError, match=message) as caught:
        durable.read_verified(run, "study.json", "0" * 64, "3 rows")
    assert (caught.value.path, caught.value.lost) == (run / "study.json", "3 rows")


def test_a_missing_file_is_damage(run):
    with pytest.raises(durable.DamagedError, match=r"`.*/part` is missing, so 3 rows"):
        durable.read_verified(run, "part", "0" * 64, "3 rows")


def test_a_folder_where_a_file_should_be_is_damage(run):
    with pytest.raises(durable.DamagedError, match=r"`.*/metrics` is no file, so 3"):
        durable.read_verified(run, "metrics", "0" * 64, "3 rows")


@pytest.mark.parametrize("link", ["metrics/train/1", "metrics/train"])
def test_a_link_that_leaves_the_run_is_damage_whatever_it_leads_to(run, link):
    (run.parent / "elsewhere").mkdir()
    (run.parent / "elsewhere" / "1").write_bytes(b"rows")
    if (run / link).is_dir():
        (run / link).rmdir()
        (run / link).symlink_to(run.parent / "elsewhere")
    else:
        (run / link).symlink_to(run.parent / "elsewhere" / "1")
    sha256 = hashlib.sha256(b"rows").hexdigest()
    with pytest.raises(durable.DamagedError, match="leads out of the run's directory"):
        durable.read_verified(run, "metrics/train/1", sha256, "3 rows")


def test_a_run_may_itself_be_reached_by_a_link(run):
    durable.write_durably(run, "metrics/train/1", b"rows")
    (run.parent / "link").symlink_to(run)
    sha256 = hashlib.sha256(b"rows").hexdigest()
    path = "metrics/train/1"
    assert durable.read_verified(run.parent / "link", path, sha256, "rows") == b"rows"


def test_a_file_that_cannot_be_read_is_named_and_is_no_damage(run, monkeypatch):
    def fails(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", fails)
    with pytest.raises(PermissionError, match=r"`.*/part` cannot be read now \(Perm"):
        durable.read_verified(run, "part", "0" * 64, "3 rows")
