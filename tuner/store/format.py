"""The format of a run directory: one number, in the definition and in the ledger.

It changes when a version of `jax-tuner` writes what the one before cannot read. A run
of another format is refused before anything else of it is believed, so of every format
the row of the ledger's table `run` begins with `id, format` and ends in its checksum,
and the definition is sealed JSON with `format` in it.
"""

from pathlib import Path
from typing import Any

FORMAT = 4


class FormatError(ValueError):
    """A run of another format, which this version cannot read."""


def check_format(path: Path, found: Any) -> None:
    """Raises FormatError, with what to do, unless the format is the one known here.

    Args:
        path: of the file that says so.
        found: what it says; None where it says nothing, as at first.
    """
    if found == FORMAT:
        return
    newer = isinstance(found, int) and found > FORMAT
    remedy = "a newer version of" if newer else "the version that wrote it of"
    said = "none" if found is None else found
    raise FormatError(
        f"the format of a run must be {FORMAT} to be read here, but `{path}` says "
        f"{said}; read it, or go on with it, with {remedy} jax-tuner"
    )
