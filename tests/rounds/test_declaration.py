import pytest

from tuner.lanes.layout import Layout
from tuner.rounds.declaration import Declaration
from tuner.store.definition import NAME
from tuner.store.reader import read_definition
from tuner.store.writer import Writer


@pytest.fixture
def writer(tmp_path):
    with Writer(tmp_path) as writer:
        yield writer


def test_what_is_found_out_later_is_added_once(tmp_path, writer):
    asked = []

    def later():
        asked.append(read_definition(tmp_path))
        return {"functions": {"loss": "a"}}

    layouts = {}
    declaration = Declaration(writer, {"study": "s"}, layouts, [], later)
    declaration.write()
    declaration.complete()
    declaration.complete()
    assert asked == [{"study": "s", "layouts": {}}]
    layouts["all"] = Layout(1, 2, 4)
    declaration.write()
    assert read_definition(tmp_path) == {
        "study": "s",
        "functions": {"loss": "a"},
        "layouts": {"all": "1x2x4"},
    }


def test_events_are_told_of_as_soon_as_there_are_any(tmp_path, writer):
    events = []
    declaration = Declaration(writer, {}, {}, events, None)
    declaration.complete()  # nothing is left to be found out, so nothing is written
    assert not (tmp_path / NAME).exists()
    events.append({"program": "all"})
    declaration.write()
    assert read_definition(tmp_path)["out_of_memory"] == [{"program": "all"}]
