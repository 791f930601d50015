"""What a supervised task may be given as examples, and what makes a step of them."""

from collections.abc import Mapping
from typing import Any

from tuner.study.data import Arrays
from tuner.study.source import Source


def check_steps(
    train: Arrays | Source | None,
    batch_size: int | str | None,
    micro_batch_size: int | None,
    examples_per_step: int | None,
) -> None:
    """Refuse sizes that contradict one another, or need examples that are not there."""
    if isinstance(batch_size, str) and batch_size != "traced":
        raise ValueError(
            'batch_size must be a number, or "traced" for sizes of the space that '
            f"share a program, but got {batch_size!r}"
        )
    if train is None and examples_per_step is None:
        raise ValueError(
            "a task without training examples must say what a step counts as: "
            "examples_per_step="
        )
    for name, size in (
        ("batch_size", batch_size),
        ("micro_batch_size", micro_batch_size),
    ):
        if train is None and size is not None:
            raise ValueError(
                f"{name}={size!r} needs training examples, but got train=None: "
                f"pass train=tuner.Arrays(...), or leave {name}= out"
            )
    if train is not None and examples_per_step is not None:
        raise ValueError(
            "examples_per_step is for tasks without batches, but train= is given: "
            "a step counts as its batch_size"
        )
    if examples_per_step is not None and examples_per_step < 1:
        raise ValueError(
            f"`examples_per_step >= 1` must hold, but got {examples_per_step}"
        )


def check_sets(train: Any, sets: Mapping[str, Any], valid: Any) -> None:
    """Refuse examples of another kind, and sets that are missing or named twice.

    Args:
        train: what is trained on.
        sets: what is evaluated, by name.
        valid: the one among them that is named `valid`, where it was given as such.
    """
    if not sets:
        raise ValueError(
            "a task needs examples to be judged on: pass valid=tuner.Arrays(...)"
        )
    if valid is not None and sets["valid"] is not valid:
        raise ValueError(
            "a set has one name, but valid= is given and evaluate_on names another "
            "`valid`: rename that one"
        )
    if not isinstance(train, Arrays | Source | None):
        raise TypeError(
            "training examples are tuner.Arrays or a tuner.Source, but got a "
            f"{type(train).__name__} as train: wrap it, tuner.Arrays(x, y) or "
            "tuner.Source(dataset)"
        )
    for name, arrays in sets.items():
        if isinstance(arrays, Source):
            raise TypeError(
                "an evaluation goes over its whole set on the device, so sets are "
                f"tuner.Arrays, but got a Source as {name}: read it all into memory, "
                "source.load(), or a part, tuner.Source(dataset[:1000]).load()"
            )
        if not isinstance(arrays, Arrays):
            raise TypeError(
                f"examples are tuner.Arrays, but got a {type(arrays).__name__} as "
                f"{name}: wrap it, tuner.Arrays(x, y)"
            )
