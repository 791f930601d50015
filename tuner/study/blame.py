"""Says of an error in a study's own code where it is, and on whose behalf it ran.

The error stays what it is, for who catches it; what is known besides is a note of it,
which every traceback ends with.
"""

import contextlib
import linecache
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
INSTALLED = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]


@contextlib.contextmanager
def blaming(told: str) -> Iterator[None]:
    """Whatever is raised inside says for what the study's code ran, and its line.

    Args:
        told: for what, such as "In the schedule of trial 3".
    """
    try:
        yield
    except Exception as error:
        place = line_of(error)
        error.add_note(f"{told}: {place}" if place else told)
        raise


def line_of(error: BaseException) -> str:
    """The innermost line of the study's own code that led to an error, or nothing.

    Neither this package is, nor any that is installed.
    """
    found = ""
    reason: BaseException | None = error
    while reason is not None and not found:
        for frame, number in traceback.walk_tb(reason.__traceback__):
            code = frame.f_code
            if is_own(code.co_filename):
                line = linecache.getline(code.co_filename, number, frame.f_globals)
                place = f"{code.co_filename}:{number}, in {code.co_name}"
                found = f"{place}: {line.strip()}"
        reason = reason.__cause__
    return found


def is_own(filename: str) -> bool:
    """Whether a file is of a study, as far as can be told."""
    path = Path(filename)
    return not any(path.is_relative_to(place) for place in (PACKAGE, *INSTALLED))
