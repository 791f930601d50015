"""Programs are kept from run to run, in a folder of the tests' own."""

import os

import jax
import numpy as np
import pytest
import small

import tuner
from tuner.lanes import compile_cache
from tuner.lanes.compilations import Compilations, counted
from tuner.lanes.compile_cache import programs_kept, trim

NAMES = ("jax_compilation_cache_dir", *compile_cache.KEEP_ALL)


def settings():
    return {name: getattr(jax.config, name) for name in NAMES}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where programs go; the session's own cache is out of the way meanwhile."""
    monkeypatch.setenv("TUNER_CACHE_DIR", str(tmp_path / "cache"))
    before = settings()
    compile_cache._update(
        {
            "jax_compilation_cache_dir": None,
            "jax_persistent_cache_min_compile_time_secs": 1.0,
            "jax_persistent_cache_min_entry_size_bytes": 0,
        }
    )
    yield tmp_path / "cache"
    compile_cache._update(before)


def entries(folder):
    return [*folder.rglob("*-cache")]


def compiled():
    """What a small program costs, compiled as if for the first time."""
    before = counted()
    jax.jit(lambda x: 2 * x + 1).lower(np.float32(0)).compile()
    return counted() - before


def test_the_second_time_a_program_comes_from_the_folder(folder):
    with programs_kept():
        assert compiled() == Compilations(training=1)
    (entry,) = entries(folder)
    assert entry.is_relative_to(folder / "compiled" / compile_cache.cpu_kind())
    with programs_kept():
        assert compiled() == Compilations(training=1, from_cache=1)


def test_afterwards_all_is_as_it_was(folder):
    before = settings()
    with programs_kept():
        assert settings() != before
    assert settings() == before
    compiled()
    assert not entries(folder)


def test_whoever_has_set_a_folder_keeps_it(folder, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "mine"))
    before = settings()
    with programs_kept():
        assert settings() == before
    assert not folder.exists()


def test_switched_off_it_stays_off(folder):
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        with programs_kept():
            compiled()
    finally:
        jax.config.update("jax_enable_compilation_cache", True)
    assert not folder.exists()


def test_a_damaged_entry_is_a_warning(folder):
    with programs_kept():
        compiled()
    (entry,) = entries(folder)
    entry.write_bytes(entry.read_bytes()[:100])
    with (
        programs_kept(),
        pytest.warns(UserWarning, match="reading persistent compilation cache"),
    ):
        assert compiled() == Compilations(training=1)


def test_an_empty_entry_is_not_even_that(folder):
    """What a power cut leaves of a file that was being written."""
    with programs_kept():
        compiled()
    (entry,) = entries(folder)
    entry.write_bytes(b"")
    with programs_kept():
        assert compiled() == Compilations(training=1)


def test_where_no_folder_can_be_made_nothing_is_kept(folder):
    folder.write_text("a file")
    with programs_kept():
        assert compiled() == Compilations(training=1)


def test_a_second_run_compiles_nothing_and_has_the_same_bits(folder, tmp_path):
    study = small.study(
        space=small.space(activation="relu"),
        rounds=[tuner.Round(trials=3, max_train_steps=10)],
    )
    first, second = (
        tuner.run(study, tmp_path / name, layout="1x1x2")
        for name in ("first", "second")
    )
    assert first.figures["compilations_from_cache"] == 0
    figures = second.figures
    assert figures["compilations_from_cache"] == figures["compilations"] == 5
    assert second.metrics("train").equals(first.metrics("train"))
    assert second.trials.equals(first.trials)


def test_what_was_not_used_longest_is_deleted_first(tmp_path):
    for name, used in [("old", 1000), ("older", 500), ("new", 2000), ("empty", 3000)]:
        (tmp_path / name).write_bytes(b"" if name == "empty" else bytes(10))
        os.utime(tmp_path / name, (used, 100))
    trim(tmp_path, 20)
    assert {path.name for path in tmp_path.iterdir()} == {"old", "new"}
    trim(tmp_path, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
