"""What a measurement found: its figures and speeds, and the file they are kept in."""

import dataclasses
import datetime
import json
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.timing import Turns, spread
from tuner.lanes.layout import num_cores
from tuner.rounds.definition import instruction_set

FOLDER = Path(__file__).parent / "results"


class Unavailable(Exception):
    """What a measurement needs is not here."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is measured.

    Attributes:
        repeats: turns of each contender.
        quick: toy sizes in one process, to see that it runs; no figure is worth
            anything then.
    """

    repeats: int = 5
    quick: bool = False

    def of(self, full: int, quick: int) -> int:
        """A size, or its toy."""
        return quick if self.quick else full


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """One number that was measured, and what it should be.

    Attributes:
        number: P1 to P10, or what it belongs to.
        claim: what is divided by what.
        values: one of each turn.
        least: the target, where large is good.
        most: the target, where small is good.
        unit: "x" for ratios; "s", "MB".
    """

    number: str
    claim: str
    values: Sequence[float]
    least: float | None = None
    most: float | None = None
    unit: str = "x"

    @property
    def median(self) -> float:
        """What the table shows."""
        return statistics.median(self.values)

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the target; None where there is none."""
        if self.least is None and self.most is None:
            return None
        enough = self.least is None or self.median >= self.least
        return enough and (self.most is None or self.median <= self.most)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
    """What a measurement found.

    Attributes:
        title: the workload, with its sizes.
        figures: for the table.
        turns: of every contender, their speeds for the second table.
        notes: what else the file keeps.
    """

    title: str
    figures: Sequence[Figure]
    turns: Turns = dataclasses.field(default_factory=dict)
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def write(folder: Path, name: str, findings: Findings, command: str) -> None:
    """Write `folder/name.json`, with the machine, the date and the command."""
    import jax  # here, because whoever reads a file needs no device

    device = jax.local_devices()[0]
    content = {
        "title": findings.title,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "machine": {
            "cores": num_cores(),
            "architecture": platform.machine(),
            "instruction_set": instruction_set(),
            "device": f"{device.platform} ({device.device_kind})",
        },
        "versions": {"python": platform.python_version(), "jax": version("jax")},
        "figures": [dataclasses.asdict(figure) for figure in findings.figures],
        "steps_per_second": {
            name: spread([turn.speed for turn in turns])
            for name, turns in findings.turns.items()
        },
        "turns": {
            name: [dataclasses.asdict(turn) for turn in turns]
            for name, turns in findings.turns.items()
        },
        "notes": findings.notes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2, default=float)
    (folder / f"{name}.json").write_text(text + "\n")


def read(folder: Path, name: str) -> dict[str, Any] | None:
    """The file's content, its figures as `Figure`s; None where it was not measured."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    content = json.loads(path.read_text())
    return content | {"figures": [Figure(**f) for f in content["figures"]]}
