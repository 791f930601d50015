import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.store import definition, sealed
from tuner.store.durable import DamagedError, make_folders

STUDY = {"name": "digits", "rounds": [{"trials": 63}], "seed": 0, "low": 1e-4}


@pytest.fixture
def run(tmp_path):
    make_folders(tmp_path, ["tmp"])
    return tmp_path


def test_what_was_written_is_read(run):
    definition.write(run, STUDY)
    assert definition.read(run) == STUDY


def test_it_is_json_for_any_tool(run):
    definition.write(run, STUDY)
    assert json.loads((run / "study.json").read_text()).items() >= STUDY.items()


def test_a_later_definition_replaces_it(run):
    definition.write(run, STUDY)
    definition.write(run, STUDY | {"seed": 1})
    assert definition.read(run)["seed"] == 1


@given(bit=st.integers(0, 8 * 200))
def test_no_flipped_bit_gives_another_definition(tmp_path_factory, flip, bit):
    run = tmp_path_factory.mktemp("run")
    make_folders(run, ["tmp"])
    definition.write(run, STUDY)
    flip(run / "study.json", bit)
    with contextlib.suppress(DamagedError):
        assert definition.read(run) == STUDY  # a blank became another blank


def test_a_changed_definition_is_refused(run):
    definition.write(run, STUDY)
    text = (run / "study.json").read_text()
    (run / "study.json").write_text(text.replace("63", "64"))
    message = r"study.json` does not match its sha256, so the study's definition"
    with pytest.raises(DamagedError, match=message):
        definition.read(run)


def test_a_broken_definition_is_refused(run):
    (run / "study.json").write_text("{")
    with pytest.raises(DamagedError, match=r"study.json` is no sound JSON \("):
        definition.read(run)


def test_a_number_that_json_lacks_is_refused(run):
    with pytest.raises(ValueError, match="not JSON compliant"):
        definition.write(run, {"low": float("nan")})


def test_another_format_is_refused(run, monkeypatch):
    monkeypatch.setattr(definition, "FORMAT", definition.FORMAT + 1)
    definition.write(run, STUDY)
    monkeypatch.undo()
    message = r"study.json` says \d+; .* a newer version of"
    with pytest.raises(ValueError, match=message):
        definition.read(run)


def test_a_definition_from_before_there_were_formats_is_refused(run):
    sealed.write(run, "study.json", STUDY)
    with pytest.raises(ValueError, match=r"study.json` says none; .* that wrote it"):
        definition.read(run)


def test_another_sealed_file_in_its_place_is_refused(run):
    sealed.write(run, "verdict.json", STUDY)
    (run / "verdict.json").rename(run / "study.json")
    with pytest.raises(DamagedError, match=r"study.json` is what was once `verdict.js"):
        definition.read(run)


@pytest.mark.parametrize("text", ["[]", "null", '{"low": NaN, "sha256": "a"}', "{}"])
def test_json_of_another_shape_is_refused(run, text):
    (run / "study.json").write_text(text)
    with pytest.raises(DamagedError, match=r"study.json` does not match its sha256"):
        definition.read(run)
