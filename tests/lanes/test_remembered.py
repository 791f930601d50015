import pytest

from tuner.lanes import remembered


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(remembered.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_was_measured_is_known_again():
    remembered.remember("a program", 8)
    remembered.remember("another", 2)
    assert remembered.recall("a program") == 8
    assert remembered.recall("a third") is None


@pytest.mark.parametrize("text", ["", "no json", "[1]", '{"a program": "8"}'])
def test_a_damaged_file_costs_only_a_measurement(folder, text):
    folder.mkdir()
    (folder / remembered.LAYOUTS).write_text(text)
    assert remembered.recall("a program") is None
    remembered.remember("a program", 8)
    assert remembered.recall("a program") == 8


def test_where_nothing_can_be_written_nothing_is_remembered(folder):
    folder.write_text("a file in the folder's place")
    remembered.remember("a program", 8)
    assert remembered.recall("a program") is None
