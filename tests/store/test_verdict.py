import pytest

from tuner.store import verdict
from tuner.store.durable import DamagedError


def test_a_verdict_is_kept_beside_a_run_that_may_not_have_begun(tmp_path):
    verdict.write(tmp_path / "run", {"steps": 300})
    verdict.write(tmp_path / "run", {"steps": 304})
    assert verdict.read(tmp_path / "run") == {"steps": 304}


def test_there_may_be_none(tmp_path):
    assert verdict.read(tmp_path) is None


def test_a_changed_verdict_is_refused(tmp_path):
    verdict.write(tmp_path, {"steps": 304})
    file = tmp_path / "steps" / "verdict.json"
    file.write_text(file.read_text().replace("304", "305"))
    with pytest.raises(DamagedError, match="so the verdict on steps cannot be read"):
        verdict.read(tmp_path)
