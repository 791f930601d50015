"""What `tuner promote` is asked for, and the study whose functions it needs."""

import re
from collections.abc import Sequence
from pathlib import Path

from tuner.runs import Run
from tuner.study.extension import LengthenConstant, LengthenDecay, Stretch
from tuner.study.names import unknown
from tuner.study.rounds import Extend

EXTENSIONS = {"constant": LengthenConstant, "stretch": Stretch, "decay": LengthenDecay}
STUDIES = Path("studies")


def extensions_of(names: Sequence[str]) -> tuple[Extend, ...]:
    """The rules that are named, `constant`, `stretch`, `decay` or `constant=150`.

    Args:
        names: each may list several, with commas: `constant=150,constant=300,stretch`.

    Raises:
        ValueError: for a name that is none of those.
    """
    return tuple(_rule(name) for text in names for name in text.split(","))


def numbers_of(text: str) -> list[int]:
    """The trials that are listed, `3,7,12`.

    Raises:
        ValueError: for what is no list of whole numbers.
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(
            f"--trials takes the numbers of trials, 3,7,12, but got {text!r}"
        ) from None


def file_of(run: Run) -> str:
    """The file in `studies/` that names the run's study.

    Nothing that the run says is run as code.

    Raises:
        LookupError: where there is none, or several.
    """
    name = run.definition["study"]["name"]
    pattern = re.compile(rf"name\s*=\s*[\"']{re.escape(name)}[\"']")
    files = [f for f in sorted(STUDIES.glob("*.py")) if pattern.search(f.read_text())]
    if len(files) != 1:
        found = ", ".join(map(str, files)) or "none"
        raise LookupError(
            f"promoting needs the functions of the study {name!r}, which one file in "
            f"{STUDIES}/ should name, but found {found}: pass --study FILE"
        )
    return str(files[0])


def _rule(name: str) -> Extend:
    kind, equals, steps = name.strip().partition("=")
    if kind not in EXTENSIONS or (equals and kind != "constant"):
        raise ValueError(unknown("extension", name, [*EXTENSIONS, "constant=150"]))
    if not equals:
        return EXTENSIONS[kind]()
    if not steps.isdecimal():
        raise ValueError(
            f"--extend constant=STEPS takes the decay's steps, but got {name!r}"
        )
    return LengthenConstant(decay_steps=int(steps))
