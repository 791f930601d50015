"""One trial as the engine is asked to train it."""

import dataclasses
from collections.abc import Mapping

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What a lane needs to train one trial.

    Attributes:
        trial: its number.
        numbers: sample, combination and replicate, which its randomness comes from.
        hyperparams: values of the traced ones.
        rates: float32 [horizon] by name, `learning_rate` among them.
        start_step: where its own steps begin.
        trained: the snapshot to begin from, paths to arrays; None at step 0.
        branch_step: the step whose state is to be kept besides, or None.
        micros: ticks of the program that make a step.
    """

    trial: int
    numbers: tuple[int, int, int]
    hyperparams: Mapping[str, float | int]
    rates: Mapping[str, np.ndarray]
    start_step: int = 0
    trained: Mapping[str, np.ndarray] | None = None
    branch_step: int | None = None
    micros: int = 1

    @property
    def start_tick(self) -> int:
        """Where its own ticks begin; a snapshot may lie within a step."""
        begun = (self.trained or {}).get("pending.ticks", 0)
        return self.start_step * self.micros + int(begun)

    @property
    def ticks(self) -> int:
        """What is left to do from where it starts."""
        return self.horizon * self.micros - self.start_tick

    @property
    def horizon(self) -> int:
        """The last step."""
        return len(self.rates["learning_rate"])
