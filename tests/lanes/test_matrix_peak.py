"""The measured peak: found once, remembered, and never in the way."""

import json

import pytest

from tuner.lanes import matrix_peak as peak
from tuner.lanes.compilations import counted


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE_DIR", str(tmp_path / "tuner"))
    monkeypatch.setattr(peak, "SECONDS", 0.001)
    monkeypatch.setitem(peak.SIZE, "cpu", 64)
    return tmp_path / "tuner"


def test_it_is_measured_once_and_remembered(folder, monkeypatch):
    measured = peak.peak_flops_per_second()
    assert measured > 0
    monkeypatch.setattr(peak, "measure", lambda: pytest.fail("measured again"))
    assert peak.peak_flops_per_second() == measured
    assert [*json.loads((folder / "peaks.json").read_text()).values()] == [measured]


def test_its_compilation_is_a_calibrations(folder):
    before = counted()
    peak.peak_flops_per_second()
    between = counted() - before
    assert (between.training, between.calibration) == (0, 1)


def test_other_devices_keep_theirs(folder):
    folder.mkdir()
    (folder / "peaks.json").write_text('{"8 x another": 1e15}')
    peak.peak_flops_per_second()
    remembered = json.loads((folder / "peaks.json").read_text())
    assert remembered.pop("8 x another") == 1e15
    assert len(remembered) == 1


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"KIND": "b"}', '{"KIND": 0}'])
def test_a_damaged_file_is_measured_anew(folder, damage):
    folder.mkdir()
    (folder / "peaks.json").write_text(damage.replace("KIND", peak._kind()))
    measured = peak.peak_flops_per_second()
    assert [*json.loads((folder / "peaks.json").read_text()).values()] == [measured]


def test_where_nothing_can_be_written_nothing_is_remembered(folder):
    folder.write_text("a file where the folder should be")
    assert peak.peak_flops_per_second() > 0


def test_each_device_multiplies_at_once(folder):
    """Two devices of the tests: the peak is of both."""
    assert peak._kind().startswith("2 x cpu ")
