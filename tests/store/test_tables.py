import polars as pl
import pytest

from tuner.store import tables
from tuner.store.durable import DamagedError, make_folders

FIXED = pl.Schema({"trial": pl.Int32, "step": pl.Int32, "loss": pl.Float32})


@pytest.fixture
def run(tmp_path):
    make_folders(tmp_path, ["tmp", "metrics/train", "metrics/valid"])
    return tmp_path


def test_parts_come_back_as_they_were_written(run, frame):
    frames = [frame([1], range(1, 4)), frame([2], range(4, 6))]
    files = [tables.write_part(run, "train", n, f) for n, f in enumerate(frames)]
    parts = tables.read_parts(run, "train", {file.path: file for file in files})
    assert all(a.equals(b) for a, b in zip(parts, frames, strict=True))


def test_any_tool_reads_the_parts_by_a_glob(run, frame):
    for number in (1, 2):
        tables.write_part(run, "train", number, frame([number], range(3)))
    whole = pl.read_parquet(run / "metrics/train/*.parquet")
    assert whole.equals(frame([1, 2], range(3)))


def test_a_table_is_none_of_the_others_parts(run, frame):
    file = tables.write_part(run, "valid", 1, frame([1], range(3)))
    assert tables.read_parts(run, "train", {file.path: file}) == []


def test_the_empty_part_fixes_the_columns(run):
    file = tables.write_part(run, "train", 0, pl.DataFrame(schema=FIXED))
    assert tables.fixed_columns(run, {file.path: file}) == {"train": FIXED}


def test_the_fixed_columns_fit_in_any_order():
    tables.check_columns("train", pl.Schema(reversed(FIXED.items())), FIXED)


def test_other_columns_are_refused_with_what_differs():
    other = pl.Schema({"trial": pl.Int32, "step": pl.Int64, "error": pl.Float32})
    message = (
        "the columns of table `train` must stay as they were fixed, but 'loss' is"
        " missing, 'error' is new, 'step' is Int64 instead of Int32;"
        " record other columns in a new run directory"
    )
    with pytest.raises(ValueError, match=message):
        tables.check_columns("train", other, FIXED)


@pytest.mark.parametrize("bit", [0, 777, 8 * 300 + 5])
def test_a_flipped_bit_in_a_part_is_noticed(run, frame, flip, bit):
    file = tables.write_part(run, "train", 1, frame([1], range(30)))
    flip(run / file.path, bit)
    message = "train/000001.parquet` does not match .*, so 30 rows of table `train`"
    with pytest.raises(DamagedError, match=message):
        tables.read_parts(run, "train", {file.path: file})
