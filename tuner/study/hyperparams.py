"""Hyperparameters as a task reads them: by attribute, whatever they hold.

Values may be traced, so nothing here looks at one, except at names that were chosen.
"""

from collections.abc import Mapping
from typing import Any

from tuner.study.names import unknown
from tuner.study.space import hangs_on


class Hyperparams:
    """A configuration whose values are attributes.

    A `Choice` that opened a space reads as its chosen `name` and what is in the space.
    Immutable: `replace` makes another.

    Args:
        values: a configuration, by flat name, of active names alone.

    Examples:
        >>> hyperparams = Hyperparams({"optimizer": "adam", "optimizer.adam.b1": 0.9})
        >>> hyperparams.optimizer.name, hyperparams.optimizer.b1
        ('adam', 0.9)
    """

    __slots__ = ("_values",)

    _values: Mapping[str, Any]

    def __init__(self, values: Mapping[str, Any]) -> None:
        for name in values:
            for choice, branch in hangs_on(name):
                if values.get(choice) != branch:
                    raise ValueError(
                        f"`{name}` is active only where {choice} = {branch!r}, but got "
                        f"{choice} = {values.get(choice)!r}"
                    )
        object.__setattr__(self, "_values", dict(values))

    def __getattr__(self, name: str) -> Any:
        known = [] if name.startswith("_") else _own(self._values)
        if name not in known:
            raise AttributeError(unknown("hyperparameter", name, known))
        value = self._values[name]
        inside = {
            other.split(".", 2)[2]: inner
            for other, inner in self._values.items()
            if other.startswith(f"{name}.")
        }
        if inside:
            return Hyperparams({"name": value, **inside})
        return Name(value) if isinstance(value, str) else value

    def replace(self, **scheduled: Any) -> "Hyperparams":
        """A copy with some values put in, such as those of this step."""
        return Hyperparams({**self._values, **scheduled})

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"hyperparameters do not change, but got {name} = {value!r}: "
            f"`hyperparams.replace({name}=...)` makes a copy"
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            raise TypeError(
                "a Choice that opened a space is compared by its name, "
                f"`.name == {other!r}`"
            )
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        items = [f"{name}={getattr(self, name)!r}" for name in _own(self._values)]
        return f"Hyperparams({', '.join(items)})"


class Name(str):
    """A chosen name, which reads by `.name` too, as one with a space does."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The text itself."""
        return str(self)


def _own(values: Mapping[str, Any]) -> list[str]:
    return [name for name in values if "." not in name]
