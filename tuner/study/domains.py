"""Domains: the values that a hyperparameter may take, each laid over the unit interval.

A sampler knows only places in [0, 1]: `value` turns one into a hyperparameter's value,
`unit` turns it back. Scales, whole numbers and names are the business of this module.
"""

import abc
import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from tuner.study.names import nearest_first, unknown
from tuner.study.values import Value, number, plain, whole

ROLES = ("scientific", "nuisance")
KINDS = (
    "warm-up",
    "initialization",
    "architecture",
    "optimizer",
    "augmentation",
    "regularization",
    "schedule",
)
LIMITS = ("low", "high", "both")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Domain(abc.ABC):
    """What every domain says of its hyperparameter.

    Attributes:
        role: "scientific", its effect is the question, or "nuisance", tuned so that
            scientific values are compared fairly. What is fixed is a plain value.
        kind: what it acts on, one of `KINDS`; findings about some kinds carry over to
            longer runs, about others they do not.
        off: the value that switches it off, which may lie outside the searched range.
            Where None is one of a `Choice`'s values, None switches it off.
        hard: the end ("low", "high" or "both") that is a natural limit, such as no
            dropout at all: a best value there asks for no wider range.
        static: a value that the program is compiled for, such as a width. Strings and
            booleans always are; other numbers are traced.
    """

    role: str = "nuisance"
    kind: str | None = None
    off: Value = None
    hard: str | None = None
    static: bool = False

    def __post_init__(self) -> None:
        if self.role == "fixed":
            raise ValueError(
                "a domain is searched, but got role='fixed': write the value itself, "
                "as in tuner.Space(b2=0.999)"
            )
        _check_known("role", self.role, ROLES)
        if self.kind is not None:
            _check_known("kind", self.kind, KINDS)
        for name in ("static", "log"):
            if not isinstance(value := getattr(self, name, False), bool):
                raise TypeError(f"`{name}` must be True or False, but got {value!r}")
        if self.hard is not None:
            _check_known("hard limit", self.hard, LIMITS)
        if self.off is not None:
            _set(self, off=self._typed("off", self.off))

    @property
    def is_static(self) -> bool:
        """Whether trials with different values need different programs."""
        return self.static

    def value(self, unit: float) -> Value:
        """The value at a place in [0, 1]; both ends are reached."""
        if not 0 <= unit <= 1:
            raise ValueError(f"`0 <= unit <= 1` must hold, but got (unit={unit})")
        return self._at(unit)

    def unit(self, value: Any) -> float:
        """The place of a value in [0, 1], from which `value` returns it."""
        typed = self._typed("value", value)
        self._check_inside("value", typed)
        return self._locate(typed)

    def check(self, name: str, value: Any) -> Value:
        """The value as this domain writes it, 1 as 1.0 in a `Float`.

        Args:
            name: the hyperparameter's, for the message.
            value: one of the domain's values, or the one that switches it off.

        Raises:
            TypeError: for a value of another type.
            ValueError: for a value out of range, or not among those to choose from.
        """
        typed = self._typed(name, value)
        if self.off is None or typed != self.off:
            self._check_inside(name, typed)
        return typed

    def describe(self) -> dict[str, Any]:
        """The domain as JSON data."""
        return {
            "type": type(self).__name__.lower(),
            **self._extent(),
            "role": self.role,
            "kind": self.kind,
            "off": self.off,
            "hard": self.hard,
            "static": self.static,
        }

    @abc.abstractmethod
    def _typed(self, name: str, value: Any) -> Any:
        """The value in this domain's own type."""

    @abc.abstractmethod
    def _check_inside(self, name: str, value: Any) -> None:
        """Refuse a value of the right type that is not one of the domain's."""

    @abc.abstractmethod
    def _at(self, unit: float) -> Value:
        """The value at a place that is known to be in [0, 1]."""

    @abc.abstractmethod
    def _locate(self, value: Any) -> float:
        """The place of a value that is known to be inside."""

    @abc.abstractmethod
    def _extent(self) -> dict[str, Any]:
        """All that tells this domain from others of its type, as JSON data."""


@dataclasses.dataclass(frozen=True)
class Range(Domain):
    """Numbers from `low` to `high`, even on a linear or a logarithmic scale."""

    low: int | float
    high: int | float
    log: bool = dataclasses.field(default=False, kw_only=True)

    margin = 0.0  # how far the stretch that a value owns reaches to both of its sides

    def __post_init__(self) -> None:
        low, high = self._typed("low", self.low), self._typed("high", self.high)
        if not low < high:
            raise ValueError(
                f"`low < high` must hold, but got (low={low}, high={high})"
            )
        if self.log and low <= 0:
            raise ValueError(
                f"`low > 0` must hold on a log scale, but got (low={low}): begin at a "
                "positive number, and say off=0 where zero switches it off"
            )
        _set(self, low=low, high=high)
        super().__post_init__()

    def _check_inside(self, name: str, value: int | float) -> None:
        if not self.low <= value <= self.high:
            raise ValueError(
                f"`{self.low} <= {name} <= {self.high}` must hold, but got "
                f"({name}={value})"
            )

    def _interpolate(self, unit: float) -> float:
        low, high = self.low - self.margin, self.high + self.margin
        if self.log:
            return low ** (1 - unit) * high**unit  # exact at both ends
        return low * (1 - unit) + high * unit

    def _locate(self, value: int | float) -> float:
        low, high = self.low - self.margin, self.high + self.margin
        if self.log:
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    def _extent(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclasses.dataclass(frozen=True)
class Float(Range):
    """Numbers from `low` to `high`, even on a linear or a logarithmic scale.

    Examples:
        >>> Float(1e-4, 1e-2, log=True).value(1.0)
        0.01
    """

    def _typed(self, name: str, value: Any) -> float:
        return number(name, value)

    def _at(self, unit: float) -> float:
        # Rounding may leave the range by a bit.
        return min(max(self._interpolate(unit), self.low), self.high)


@dataclasses.dataclass(frozen=True)
class Int(Range):
    """Whole numbers from `low` to `high`, both among them.

    Each owns an equal stretch of [low - 1/2, high + 1/2] (of its logarithm on a log
    scale, from the number's half below to its half above), so that the ends come up
    as often as their neighbours.

    Examples:
        >>> [Int(1, 4).value(unit) for unit in (0.0, 0.2, 0.3, 1.0)]
        [1, 1, 2, 4]
    """

    margin = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low < -(2**31) or self.high >= 2**31:
            raise ValueError(
                "`-2**31 <= low` and `high < 2**31` must hold, for JAX holds whole "
                f"numbers in 32 bits, but got (low={self.low}, high={self.high})"
            )

    def _typed(self, name: str, value: Any) -> int:
        return whole(name, value)

    def _at(self, unit: float) -> int:
        nearest = math.floor(self._interpolate(unit) + 0.5)
        return min(max(nearest, int(self.low)), int(self.high))


@runtime_checkable
class SubSpace(Protocol):
    """What a name in a `Choice` opens: a `tuner.Space`, itself made of domains."""

    @property
    def entries(self) -> Mapping[str, Any]:
        """Domains and plain values by name."""
        ...


@dataclasses.dataclass(frozen=True, init=False)
class Choice(Domain):
    """One of several values, each as likely as the others.

    Either plain values of one type, with None allowed beside strings (and beside
    numbers that are static), or one mapping of names to the `tuner.Space`s that they
    open: hyperparameters that exist only where that name is chosen.

    Examples:
        >>> Choice("relu", "gelu", role="scientific").value(1.0)
        'gelu'
    """

    values: tuple[Value, ...]
    spaces: Mapping[str, SubSpace] = dataclasses.field(hash=False)

    def __init__(
        self,
        *values: Any,
        role: str = "nuisance",
        kind: str | None = None,
        off: Value = None,
        hard: str | None = None,
        static: bool = False,
    ) -> None:
        spaces = _spaces(values)
        _set(self, spaces=spaces, values=_of_one_type(tuple(spaces) or values, static))
        static = static or self._type in (str, bool)
        _set(self, role=role, kind=kind, off=off, hard=hard, static=static)
        super().__post_init__()
        # Only a number may lie outside, and no scientific one: each of its values makes
        # a combination, and every trial belongs to one.
        is_listed = self._type in (str, bool) or role == "scientific"
        if self.off is not None and is_listed:
            self._check_inside("off", self.off)

    @property
    def _type(self) -> type:
        return next(type(value) for value in self.values if value is not None)

    def _typed(self, name: str, value: Any) -> Value:
        if value is None:
            return None
        if self._type is float:
            return number(name, value)
        if self._type is int:
            return whole(name, value)
        if not isinstance(value, self._type):
            raise TypeError(
                f"`{name}` must be a {self._type.__name__}, but got {value!r}"
            )
        return plain(name, value)

    def _check_inside(self, name: str, value: Value) -> None:
        if value not in self.values:
            ranked = nearest_first(repr(value), map(repr, self.values))
            raise ValueError(
                f"`{name}` must be one of {', '.join(ranked)}, but got {value!r}"
            )

    def _at(self, unit: float) -> Value:
        index = int(unit * len(self.values))
        return self.values[min(index, len(self.values) - 1)]

    def _locate(self, value: Value) -> float:
        return (self.values.index(value) + 0.5) / len(self.values)

    def _extent(self) -> dict[str, Any]:
        return {"values": list(self.values)}


def _set(config: Any, **fields: Any) -> None:
    for name, value in fields.items():
        object.__setattr__(config, name, value)


def _check_known(what: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ValueError(unknown(what, name, known))


def _spaces(values: tuple[Any, ...]) -> dict[str, SubSpace]:
    mappings = [value for value in values if isinstance(value, Mapping)]
    if not mappings:
        return {}
    if len(values) > 1:
        raise TypeError(
            "a Choice is of plain values or of one mapping of names to spaces, but got "
            f"{values!r}: put all names into one mapping, with tuner.Space() for those "
            "that open nothing"
        )
    for name, space in mappings[0].items():
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(
                f"a name that opens a space is a word without dots, but got {name!r}"
            )
        if not isinstance(space, SubSpace):
            raise TypeError(f"{name!r} must open a tuner.Space, but got {space!r}")
    return dict(mappings[0])


def _of_one_type(values: tuple[Any, ...], static: bool) -> tuple[Value, ...]:
    values = tuple(plain("a choice", value) for value in values)
    types = {type(value) for value in values if value is not None}
    if types == {int, float}:
        types, values = {float}, tuple(v if v is None else float(v) for v in values)
    if len(types) != 1 or types == {tuple}:
        raise TypeError(
            "a Choice is of strings, of booleans or of numbers, at least one and all "
            f"of one type, but got {values!r}"
        )
    if None in values and types <= {int, float} and not static:
        raise ValueError(
            f"None cannot be traced beside numbers, but got {values!r}: declare "
            "static=True, or name a number that means none"
        )
    if len(set(values)) < len(values):
        raise ValueError(f"the values of a Choice must differ, but got {values!r}")
    return values
