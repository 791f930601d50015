"""What a run may cost in all: seconds of its sessions, updates of its trials."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from tuner.study.values import number, whole

UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}  # seconds
DURATION = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in UNITS))
STEPS = re.compile(r"(\d[\d_]*)steps?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """Ends a run, which can go on with a larger budget, when either is used up.

    All sessions of a run directory count: the budget is compared with `seconds` and
    `trial_steps` of its figures. The segments in flight are finished and recorded, so a
    little more is used than was given.

    Args:
        seconds: of all sessions, compilation included.
        steps: updates of all trials.

    Raises:
        ValueError, TypeError: for a budget without either, or a number that is not
            above zero.

    Examples:
        >>> str(Budget(seconds=5400)), str(Budget(steps=500_000))
        ('1h30m', '500000steps')
    """

    seconds: int | float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is None and self.steps is None:
            raise ValueError("a Budget needs seconds= or steps=, but has neither")
        for name, checked in (("seconds", number), ("steps", whole)):
            value = getattr(self, name)
            if value is not None and checked(name, value) <= 0:
                raise ValueError(f"`{name} > 0` must hold, but got {name}={value}")

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read "2h", "1h30m", "90m", "45s", "500000steps", or both, "2h,500000steps".

        Examples:
            >>> Budget.parse("1h30m"), Budget.parse("500_000steps")
            (Budget(seconds=5400, steps=None), Budget(seconds=None, steps=500000))
        """
        limits: dict[str, Any] = {}
        for part in "".join(text.split()).split(","):
            if steps := STEPS.fullmatch(part):
                limits["steps"] = int(steps[1])
            elif part and (duration := DURATION.fullmatch(part)):
                amounts = zip(duration.groups(), UNITS.values(), strict=True)
                seconds = sum(float(n) * unit for n, unit in amounts if n)
                limits["seconds"] = int(seconds) if seconds == int(seconds) else seconds
            else:
                raise ValueError(
                    "a budget is written 2h, 90m, 45s, 1h30m or 500000steps, or as two "
                    f"of them, 2h,500000steps, but got {text!r}"
                )
        return cls(**limits)

    def __str__(self) -> str:
        """The text that `parse` reads."""
        texts = []
        if self.seconds is not None:
            texts.append(_duration(self.seconds))
        if self.steps is not None:
            texts.append(f"{self.steps}steps")
        return ",".join(texts)

    def is_used_up(self, figures: Mapping[str, Any]) -> bool:
        """Whether a run of these figures has used it up."""
        used = {"seconds": self.seconds, "trial_steps": self.steps}
        return any(
            limit is not None and figures.get(name, 0) >= limit
            for name, limit in used.items()
        )

    def doubled(self) -> "Budget":
        """Twice as much of each."""
        return Budget(
            seconds=None if self.seconds is None else 2 * self.seconds,
            steps=None if self.steps is None else 2 * self.steps,
        )


def _duration(seconds: int | float) -> str:
    """Seconds in units, largest first, those that are not zero."""
    parts, left = [], seconds
    for unit, size in UNITS.items():
        amount = left if unit == "s" else left // size
        left -= amount * size
        if amount:
            parts.append(f"{amount:g}{unit}")
    return "".join(parts)
