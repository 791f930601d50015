"""Refuse, in one line, a Python that is too old or an environment that is not its own.

`make` asks this of the Python it is given, each time: an existing environment would
keep the Python that made it, in silence. Old Pythons run this file too, so nothing in
it is annotated.
"""

import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)


def refusal(python, environment):
    """Say why Python (major, minor) cannot use an environment; None where it can."""
    if python < OLDEST:
        return (
            f"`python >= {dotted(OLDEST)}` must hold, but got "
            f"(python={dotted(python)}); name a newer one: make ... PYTHON=python3.12"
        )
    made_by = maker(environment) if environment.exists() else python
    if made_by != python:
        return (
            f"`{environment}` must be a working environment of Python "
            f"{dotted(python)}, but got (python={dotted(made_by)}); remove it: "
            f"rm -r {environment}, or name another: "
            f"make ... VENV=.venv{dotted(python).replace('.', '')}"
        )
    return None


def maker(environment):
    """Ask the Python inside an environment for its version; None if it is half-made."""
    question = "import pip, sys; print(*sys.version_info[:2])"
    try:
        answer = subprocess.check_output(
            [environment / "bin" / "python", "-c", question],
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return tuple(map(int, answer.split()))


def dotted(version):
    """Write a version as people do."""
    return ".".join(map(str, version)) if version else "broken"


if __name__ == "__main__":
    sys.exit(refusal(sys.version_info[:2], Path(sys.argv[1])))
