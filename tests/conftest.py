"""What all tests run under: checked shapes, two CPU devices, caches of their own."""

import os
import tempfile
from pathlib import Path

import hypothesis
import jax
import jaxtyping
import pytest

# Before any test imports `tuner`: a module already imported stays unchecked.
jaxtyping.install_import_hook("tuner", "beartype.beartype")

# Before anything asks for a device: JAX then refuses to change their number.
jax.config.update("jax_num_cpu_devices", 2)

# The first example of a property compiles, so no example has a deadline.
hypothesis.settings.register_profile("tuner", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tuner")

# Processes that tests start import the package beside these tests, as the tests do,
# whichever one the environment has.
TESTS = Path(__file__).parent
os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (TESTS, TESTS.parent)))


def pytest_configure(config: pytest.Config) -> None:
    """Give this process, and every one that a test starts, one cache for the session.

    A program that is found there still counts: `jax.monitoring` reports one
    `backend_compile_duration` for it, as for a compiled one.
    """
    folder = tempfile.TemporaryDirectory(prefix="jax-cache-")
    config.add_cleanup(folder.cleanup)
    cache_everything = {
        "jax_compilation_cache_dir": folder.name,
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    os.environ["TUNER_CACHE_DIR"] = folder.name  # measurements, never the user's
    for name, value in cache_everything.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)
