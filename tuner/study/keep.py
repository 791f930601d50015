"""Whose states stay on the disk when their trials have ended."""

import dataclasses

from tuner.study.values import whole


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keep:
    """How many trials of each round keep their states; all where a number is None.

    A trial that trains, or may still go on in a round of the study, keeps its own
    whatever is said here.

    Attributes:
        best: the best so many keep the states of their best and of their last step.
        branch: the best so many keep the state that a promoted trial begins from.

    Raises:
        ValueError: for a number below 1; for `branch` below 0.
    """

    best: int | None = None
    branch: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("best", 1), ("branch", 0)):
            value = getattr(self, name)
            if value is None:
                continue
            object.__setattr__(self, name, whole(name, value))
            if value < least:
                raise ValueError(
                    f"`{name} >= {least}` must hold, but got {name}={value}: leave it "
                    "out to keep all"
                )


EVERYTHING = Keep()
