"""JAX's persistent compilation cache, on while a run trains.

Compiling is most of what a short study waits for, and the second time it is reading a
file. Who has set `jax_compilation_cache_dir`, or switched the cache off, keeps what was
set. The setting is one of the whole process, so it is put back at the end.

JAX's own bound of the folder's size needs a further package, and an entry that was
half written when a process died stops it for good. So the folder is trimmed here.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import jax
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from tuner.lanes.machine import cpu_kind
from tuner.lanes.remembered import cache_folder

NAME = "compiled"
MOST_BYTES = 1 << 30
FOLDER, SWITCH = "jax_compilation_cache_dir", "jax_enable_compilation_cache"
KEEP_ALL = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


@contextlib.contextmanager
def programs_kept() -> Iterator[None]:
    """Keep what is compiled meanwhile, and take what was kept, unless it is settled."""
    is_settled = getattr(jax.config, FOLDER) is not None
    is_off = not getattr(jax.config, SWITCH)
    folder = None if is_settled or is_off else _prepared()
    if folder is None:
        yield
        return
    ours = {FOLDER: str(folder), **KEEP_ALL}
    before = {name: getattr(jax.config, name) for name in ours}
    _update(ours)
    try:
        yield
    finally:
        _update(before)


def trim(folder: Path, most_bytes: int) -> None:
    """Delete the files that have longest not been used, and empty ones.

    A file system may note the use of a file once a day, or never: then those that were
    written first go first.
    """
    files = [(path, path.stat()) for path in folder.rglob("*") if path.is_file()]
    room = most_bytes
    newest_first = sorted(
        files, key=lambda file: max(file[1].st_atime, file[1].st_mtime), reverse=True
    )
    for path, facts in newest_first:
        room -= facts.st_size
        if room < 0 or not facts.st_size:
            path.unlink(missing_ok=True)


def _prepared() -> Path | None:
    """The folder for this processor, with room in it; None where it cannot be made.

    XLA's programs for CPUs use what the processor has, but their keys do not say so: on
    a home that machines share, one would be given what it cannot run.
    """
    folder = cache_folder() / NAME / cpu_kind()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        trim(folder.parent, MOST_BYTES)
    except OSError:
        return None
    return folder


def _update(settings: dict) -> None:
    for name, value in settings.items():
        jax.config.update(name, value)
    reset_cache()  # JAX opens the folder once, and then no other
