"""What `study.json` says, and whether a directory belongs to the study that asks."""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tuner.analysis.staleness import budget_conditions
from tuner.store.definition import NAME
from tuner.store.reader import read_definition
from tuner.study.data import Arrays
from tuner.study.source import Source
from tuner.study.study import Study, describe
from tuner.study.task import Task

LIBRARIES = ("jax", "jaxlib", "optax", "flax", "numpy")
MAY_CHANGE = ("goal", "snapshots")
OWN = (
    "give this study a directory of its own, or begin anew there, with --restart "
    "(restart=True), and the run so far is moved aside"
)
EXAMPLES_HASHED = 16  # of a source, which may be too large to be read


class OtherStudyError(ValueError):
    """The run directory belongs to another study, or to this one with other code.

    Attributes:
        reason: why it does, in short.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def definition(study: Study, before: Mapping[str, Any]) -> dict[str, Any]:
    """The study as JSON data, and all that decides its bits beside the layouts.

    Args:
        study: what runs.
        before: what the directory said; rounds that it has beyond the study's stay.
    """
    device = jax.local_devices()[0]
    described = describe(study)
    if before:
        described["rounds"] += before["study"]["rounds"][len(described["rounds"]) :]
    return {
        "study": described,
        "data": data_digest(study.task),
        "budget": budget(study.budget_from, before),
        "versions": {name: version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "device": {"platform": device.platform, "kind": device.device_kind},
        "instruction_set": instruction_set(),
    }


def budget(
    origin: str | Path | None, before: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Where the numbers of steps come from, and the conditions there.

    Args:
        origin: the directory of a run.
        before: what this run's directory said: what it has of the same origin stays.

    Raises:
        FileNotFoundError: where there is no such run.
    """
    if origin is None:
        return None
    known = before.get("budget")
    if known and known["from"] == str(origin):
        return known
    if not (Path(origin) / NAME).exists():
        raise FileNotFoundError(
            f"budget_from must be the directory of a run, but {str(origin)!r} holds "
            "none: pass the one whose best steps set max_train_steps, or leave it out"
        )
    conditions = budget_conditions(read_definition(Path(origin)))
    return {"from": str(origin), "conditions": conditions}


def check_same(old: Mapping[str, Any], new: Mapping[str, Any], directory: Path) -> None:
    """Refuse to go on with a directory that another study has made.

    More rounds than before are no other study, nor are fewer: those there stay. Nor are
    rounds that have grown: what there is stays. Nor is another target, which only says
    when the study ends.

    Args:
        old: the directory's definition.
        new: that of the study which is to go on in it.
        directory: for the message.
    """
    before, now = dict(old["study"]), json.loads(json.dumps(new["study"]))
    shared = min(len(before["rounds"]), len(now["rounds"]))
    now["rounds"] = [
        _ungrown(before["rounds"][i], now["rounds"][i], now["rounds"][i + 1 :])
        for i in range(shared)
    ]
    before["rounds"] = before["rounds"][:shared]
    for described in (before, now):
        for name in MAY_CHANGE:
            described.pop(name, None)
        rules = described.get("stop", [])
        described["stop"] = [rule for rule in rules if "target" not in rule]
    differences = list(_differences("", before, now))
    if old["data"] != new["data"]:
        differences.append("the data")
    reason = f"it differs in {'; '.join(differences)}"
    if differences and all(d.startswith("rounds[") for d in differences):
        rounds = ", ".join(map(_literal, old["study"]["rounds"]))
        raise OtherStudyError(
            f"{directory} has other rounds than this study; {reason}: begin with "
            f"those it has, rounds=[{rounds}], or {OWN}",
            reason,
        )
    if differences:
        raise OtherStudyError(
            f"{directory} belongs to another study; {reason}: {OWN}", reason
        )


def _ungrown(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    following: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """A round as it was before it grew: more trials, or more that go on.

    New trials are numbered through all rounds, so only the last round that has some can
    have more.
    """
    names = ["keep", "control"]
    if not any(round_["trials"] or round_["points"] for round_ in following):
        names.append("trials")
        if now["points"][: len(before["points"])] == before["points"]:
            now = {**now, "points": before["points"]}
    both = {name: (before[name], now[name]) for name in names}
    grown = {
        name: old
        for name, (old, new) in both.items()
        if isinstance(old, int) and isinstance(new, int) and new > old
    }
    return {**now, **grown}


def data_digest(task: Task) -> str:
    """A hash of all arrays a task trains or evaluates on; of a source, of some."""
    train = task.train.tree if isinstance(task.train, Arrays) else None
    if isinstance(task.train, Source):
        places = np.linspace(0, len(task.train) - 1, EXAMPLES_HASHED)
        train = task.train.batch(places.astype(np.int64))
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves((train, task.data)):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.view(np.uint8).data if array.size else b"")
    return digest.hexdigest()


def instruction_set() -> str:
    """What the CPU's arithmetic depends on: the widest vectors it has, or its name."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text().split() if info.exists() else []
    widest = [name for name in ("avx512f", "avx2", "avx", "asimd") if name in flags]
    return widest[0] if widest else platform.machine()


def _literal(round_: Mapping[str, Any]) -> str:
    """The line to type for a round of a definition."""
    given = {name: value for name, value in round_.items() if value}
    if given.get("across") == "each":
        del given["across"]
    extend = given.pop("extend", None)
    fields = [f"{name}={value!r}" for name, value in given.items()]
    if isinstance(extend, Mapping):
        fields.append(f"extend={_literal_rule(extend)}")
    elif extend:
        fields.append(f"extend=({', '.join(map(_literal_rule, extend))})")
    return f"tuner.Round({', '.join(fields)})"


def _literal_rule(described: Mapping[str, Any]) -> str:
    """The line to type for an extension."""
    rule = dict(described)
    kind = rule.pop("type", None)
    options = [f"{n}={v!r}" for n, v in rule.items() if v is not None]
    return f"tuner.{kind}({', '.join(options)})" if kind else rule["function"]


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    """Where two pieces of JSON data differ, `space.x.high (0.1, now 0.2)`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            inner = f"{path}.{name}" if path else name
            yield from _differences(inner, old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{path}[{i}]", a, b)
    elif old != new:
        yield f"{path} ({old!r}, now {new!r})"
