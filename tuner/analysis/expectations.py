"""What is expected to carry over from short runs to long ones (playbook D8).

The playbook's expectation goes by what a hyperparameter acts on. Two are known better
by name: the best learning rate falls as the horizon grows, and AdamW's weight decay
acts through the product with it.

References:
    Johan Bjorck et al., Scaling Optimal LR Across Token Horizons, 2024,
    https://arxiv.org/abs/2409.19913 (the exponent of the fall)
"""

from collections.abc import Mapping
from typing import Any

FALL = 0.32  # the best rate goes with the horizon to the power of -0.32

BY_KIND = {
    "warm-up": "very likely",
    "initialization": "very likely",
    "architecture": "likely",
    "optimizer": "perhaps",
    "augmentation": "perhaps",
    "regularization": "perhaps",
    "schedule": "unlikely",
}
FALLS = "falls"
BY_TIMESCALE = "perhaps, times rate and steps"
UNKNOWN = "not known without a kind"
CARRIES = ("very likely", "likely")


def expectation(name: str, domain: Mapping[str, Any]) -> str:
    """Whether what is best for short runs is expected to be best for long ones.

    Args:
        name: of the hyperparameter.
        domain: as data, with `kind`, one of the playbook's or None.
    """
    last = name.rpartition(".")[2]
    if last.endswith("learning_rate"):
        return FALLS
    if last.endswith("weight_decay"):
        return BY_TIMESCALE
    return BY_KIND.get(domain.get("kind") or "", UNKNOWN)


def expected_factor(short_steps: int, long_steps: int) -> float:
    """What the best learning rate is multiplied by, as large language models have it.

    Examples:
        >>> round(expected_factor(500, 2000), 2)
        0.64
    """
    return (long_steps / short_steps) ** -FALL
