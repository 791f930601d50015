"""What makes a step budget stale: conditions that were others when it was set.

How many steps are needed depends on how noisy gradients are, and so on batch size,
augmentation and some regularization; on architecture and data; and on how well the
optimizer and the schedule are tuned (playbook D2). Values inside what was searched when
the budget was set are no change.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MORE, FEWER, EITHER = "more", "fewer", "either way"

NOISE = ("augmentation", "regularization")
EFFECTS = {
    "augmentation": "augmentation raises the variance of gradients",
    "regularization": "regularization such as dropout raises the variance of gradients",
    "architecture": "another architecture may need more steps or fewer",
    "optimizer": "a better-tuned optimizer may need fewer",
    "schedule": "a better-tuned schedule may need fewer",
}


@dataclass(frozen=True)
class Change:
    """A condition that is another than when the budget was set.

    Attributes:
        name: of the condition or the hyperparameter.
        before: what it was, in words.
        now: what it is.
        steps: "more" or "fewer" steps are needed now, or it may be "either way".
        reason: why.
    """

    name: str
    before: str
    now: str
    steps: str
    reason: str


def budget_conditions(
    definition: Mapping[str, Any], round: int | None = None
) -> dict[str, Any]:
    """What a budget of steps depends on, of a study or of one of its rounds.

    Args:
        definition: what `study.json` says.
        round: counted from 1, with the space that it and those before have; None is
            the study as declared.
    """
    study = definition["study"]
    task = study.get("task", {})
    space = dict(study["space"])
    for described in study["rounds"][: round or 0]:
        for name, entry in (described.get("space") or {}).items():
            is_domain = isinstance(entry, Mapping)
            space[name] = entry if is_domain else {"type": "fixed", "value": entry}
    return {
        "data": definition.get("data"),
        "training_examples": task.get("training_examples"),
        "batch_size": task.get("batch_size"),
        "augment": task.get("augment"),
        "space": space,
    }


def changed_conditions(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> list[Change]:
    """What has changed since a budget was set, and which way that moves it.

    Args:
        before: what `budget_conditions` says of the study or round that set it.
        now: what it says of the one that uses it.
    """
    return [
        *_batch_size(before, now),
        *_augment(before, now),
        *_data(before, now),
        *_space(before["space"], now["space"]),
    ]


def _batch_size(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    old, new = (_smallest_batch(each) for each in (before, now))
    if old is None or new is None or old == new:
        return
    steps, verb = (
        (MORE, "smaller batches raise")
        if new < old
        else (FEWER, "larger batches lower")
    )
    reason = f"{verb} the variance of gradients"
    yield Change("batch_size", str(old), str(new), steps, reason)


def _smallest_batch(known: Mapping[str, Any]) -> int | None:
    """The task's batch size, or the smallest that the space has."""
    searched = known["space"].get("batch_size")
    if searched is None:
        return known["batch_size"]
    return min(_ends(searched)) if searched["type"] != "fixed" else searched["value"]


def _augment(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    old, new = before["augment"], now["augment"]
    if old == new:
        return
    steps = FEWER if new is None else MORE if old is None else EITHER
    yield Change(
        "augment", old or "none", new or "none", steps, EFFECTS["augmentation"]
    )


def _data(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    reason = "other data may need more steps or fewer"
    old, new = (each["training_examples"] for each in (before, now))
    if old != new:
        yield Change(
            "training data", f"{old} examples", f"{new} examples", EITHER, reason
        )
        return
    old, new = (str(each["data"] or "")[:8] for each in (before, now))
    if old and new and old != new:
        yield Change("data", old, new, EITHER, reason)


def _space(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name), now.get(name)
        kind = _kind(name, old, new)
        if old == new or kind not in EFFECTS:
            continue
        texts = _said(old), _said(new)
        if kind in NOISE:
            weaker, stronger = _strength(old), _strength(new)
            if weaker is None or stronger is None:
                steps = EITHER
            elif weaker == stronger:
                continue
            else:
                steps = MORE if stronger > weaker else FEWER
            yield Change(name, *texts, steps, EFFECTS[kind])
        elif not _is_inside(new, old):
            steps = EITHER if kind == "architecture" else FEWER
            yield Change(name, *texts, steps, EFFECTS[kind])


def _kind(name: str, *domains: Mapping[str, Any] | None) -> str | None:
    """What a hyperparameter acts on, where one of the two says so."""
    declared = [domain["kind"] for domain in domains if domain and domain.get("kind")]
    if declared:
        return declared[0]
    is_rate = name.rpartition(".")[2].endswith("learning_rate")
    return "optimizer" if is_rate else None


def _strength(domain: Mapping[str, Any] | None) -> float | None:
    """How far it reaches from being off; None for what is no number."""
    if domain is None:
        return 0.0
    off = domain.get("off") or 0.0
    try:
        return max(abs(float(end) - float(off)) for end in _ends(domain))
    except (TypeError, ValueError):
        return None


def _is_inside(new: Mapping[str, Any] | None, old: Mapping[str, Any] | None) -> bool:
    """Whether all of the new values were among the old."""
    if new is None or old is None:
        return False
    values, known = _ends(new), _ends(old)
    if old["type"] in ("float", "int"):
        numbers = all(isinstance(value, int | float) for value in values)
        return numbers and min(known) <= min(values) <= max(values) <= max(known)
    return all(value in known for value in values)


def _ends(domain: Mapping[str, Any]) -> list[Any]:
    """Both ends of a range, all values of a choice, or the one that is fixed."""
    if domain["type"] == "fixed":
        return [domain["value"]]
    if domain["type"] == "choice":
        return [*domain["values"]]
    return [domain["low"], domain["high"]]


def _said(domain: Mapping[str, Any] | None) -> str:
    if domain is None:
        return "none"
    ends = _ends(domain)
    texts = [each if isinstance(each, str) else json.dumps(each) for each in ends]
    return (", " if domain["type"] == "choice" else " to ").join(texts)
