"""Whether a run is one experiment: where its code changed, or its arithmetic.

What was trained before and after such a time is compared with care, or not at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuner.analysis.finding import Finding

SAME = "same"  # the id of its findings
MOST_NAMED = 3  # trials of which a finding says at which step they stood
CODE = ("jax", "jaxlib", "optax", "flax")  # under others, code cannot be compared


def sameness_findings(definition: Mapping[str, Any]) -> Iterator[Finding]:
    """Where a run's results are not those of one experiment.

    Args:
        definition: what `study.json` says.
    """
    for change in definition.get("changes", ()):
        yield FINDINGS[change["kind"]](change)
    for event in definition.get("out_of_memory", ()):
        if _width(event["layout"]) != _width(event["now"]):
            yield _narrowed(event)


def _accepted(change: Mapping[str, Any]) -> Finding:
    names = _listed(change["functions"])
    return Finding(
        id=SAME,
        subject=names,
        text=f"On {_day(change)} the run went on with another {names}. "
        f"{_stood(change)}",
        remedy=APART,
    )


def _forked(change: Mapping[str, Any]) -> Finding:
    names = _listed(change["functions"])
    other = f", with another {names}" if names else ""
    return Finding(
        id=SAME,
        subject=names or "directory",
        text=f"This run is a copy of {change['from']}, which went on here on "
        f"{_day(change)}{other}. {_stood(change)}",
        remedy=APART if names else "What was trained before is in both runs.",
    )


def _elsewhere(change: Mapping[str, Any]) -> Finding:
    pairs = change["differences"].items()
    said = _listed([f"{name} {new} (was {old})" for name, (old, new) in pairs])
    text = (
        f"On {_day(change)} the run went on under {said}: it equals an uninterrupted "
        f"one to rounding only. {_stood(change)}"
    )
    remedy = "Where bits matter, run it anew under one version and on one machine."
    if any(name in CODE for name in change["differences"]):
        text += " Whether its functions stayed the same cannot be told."
    return Finding(id=SAME, subject="rounding", text=text, remedy=remedy)


def _narrowed(event: Mapping[str, Any]) -> Finding:
    return Finding(
        id=SAME,
        subject="rounding",
        text=f"Program {event['program']} ran out of memory in layout "
        f"{event['layout']}, and went on in {event['now']}: trials of it that had "
        "ended by then equal the others' to rounding only.",
        remedy=f"Where bits matter, run it anew with --layout {event['now']}.",
    )


FINDINGS = {"accepted": _accepted, "forked": _forked, "elsewhere": _elsewhere}
APART = (
    "Compare trials from before with those from after only where the change does not "
    "matter to both; else begin anew (--restart)."
)


def _stood(change: Mapping[str, Any]) -> str:
    """Which trials had ended, and where the others were."""
    ended, steps = change["ended"], change["steps"]
    parts = [f"Trials {ended} had ended" if ended else "No trial had ended"]
    if steps:
        named = [f"{trial} at {step}" for trial, step in steps.items()]
        more = len(named) - MOST_NAMED
        some = named[:MOST_NAMED] + ([f"{more} more"] if more > 0 else [])
        parts.append(f"unfinished were {_listed(some)} (trial at step)")
    return "; ".join(parts) + "."


def _day(change: Mapping[str, Any]) -> str:
    return change["date"].replace("T", " ")[:16]


def _width(layout: str) -> str:
    """All of a layout but its chunks, which change no bit."""
    devices, _, *rest = layout.split("x")
    return "x".join([devices, *rest])


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
