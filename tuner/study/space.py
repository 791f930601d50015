"""A space: every hyperparameter of a study by name, searched or fixed.

Names are flat. A `Choice` named `optimizer` whose "adam" opens a space with `b1` is
`optimizer` and `optimizer.adam.b1`; the latter is *active* where the former is "adam",
and has nothing to do with `optimizer.nesterov.b1`. A *configuration* gives each active
name a value. A *combination* gives each scientific `Choice` a value.
"""

import dataclasses
import functools
import json
import keyword
from collections.abc import Iterator, Mapping
from typing import Any

from tuner.study.domains import Choice, Domain, SubSpace
from tuner.study.names import unknown
from tuner.study.values import Value, number, plain

HORIZONS = ("max_train_steps", "num_steps", "steps")


@dataclasses.dataclass(frozen=True, init=False, eq=False)
class Space:
    """Hyperparameters by name: a domain is searched, a plain value is fixed.

    Spaces are equal where their descriptions are.

    Examples:
        >>> from tuner.study.domains import Choice, Float
        >>> adam = Space(b1=Float(0.5, 0.99), b2=0.999)
        >>> methods = {"adam": adam, "sgd": Space()}
        >>> space = Space(optimizer=Choice(methods, role="scientific"))
        >>> list(space.domains), list(space.fixed)
        (['optimizer', 'optimizer.adam.b1'], ['optimizer.adam.b2'])
        >>> space.combinations()
        [{'optimizer': 'adam'}, {'optimizer': 'sgd'}]
        >>> space.complete({"optimizer": "adam", "optimizer.adam.b1": 0.9})
        {'optimizer': 'adam', 'optimizer.adam.b1': 0.9, 'optimizer.adam.b2': 0.999}
    """

    entries: Mapping[str, Domain | Value]

    def __init__(self, **entries: Any) -> None:
        checked = {name: _checked(name, entry) for name, entry in entries.items()}
        object.__setattr__(self, "entries", checked)

    @functools.cached_property
    def domains(self) -> Mapping[str, Domain]:
        """What is searched, by flat name, in the order of declaration."""
        return {name: entry for name, entry in flat(self) if isinstance(entry, Domain)}

    @functools.cached_property
    def fixed(self) -> Mapping[str, Value]:
        """What is fixed, by flat name, in the order of declaration."""
        return {
            name: entry for name, entry in flat(self) if not isinstance(entry, Domain)
        }

    def combinations(self) -> list[dict[str, Value]]:
        """Every way to choose the scientific `Choice`s, `[{}]` where there are none.

        A scientific `Float` or `Int` is not listed but sampled, as a nuisance is: it
        has no values to list, and its effect is read off the samples in buckets.
        """
        return _combinations(self)

    def nuisances(self, combination: Mapping[str, Value]) -> list[str]:
        """The sampled names that can be active under a combination.

        Those that hang on a nuisance `Choice` are all among them.
        """
        if dict(combination) not in self.combinations():
            raise ValueError(
                f"{dict(combination)} is no combination of this space, which has "
                f"{self.combinations()}"
            )
        return [
            name
            for name, domain in self.domains.items()
            if not is_enumerated(domain)
            and all(
                combination.get(c, branch) == branch for c, branch in hangs_on(name)
            )
        ]

    def complete(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """The configuration that explicit values make, in the order of declaration.

        Args:
            values: one for each domain that they make active, by flat name. A fixed
                value may be given another of its type.

        Raises:
            TypeError: for a value of another type.
            ValueError: for a value that its domain refuses, and for names that are
                unknown, missing or inactive.
        """
        given = {name: self.check(name, value) for name, value in values.items()}
        active = [name for name, _ in flat(self) if is_active(name, given)]
        for name in given:
            if name not in active:
                needs = ", ".join(f"{c} = {branch!r}" for c, branch in hangs_on(name))
                raise ValueError(
                    f"`{name}` is active only where {needs}, but got {dict(values)}: "
                    "leave it out"
                )
        filled = {**self.fixed, **given}
        missing = [name for name in active if name not in filled]
        if missing:
            raise ValueError(
                f"a configuration needs a value for {', '.join(missing)}, but got "
                f"{dict(values)}"
            )
        return {name: filled[name] for name in active}

    def check(self, name: str, value: Any) -> Value:
        """A value for one name, as its domain or its fixed value's type writes it.

        Raises:
            TypeError: for a value of another type.
            ValueError: for a value that the domain refuses, and for an unknown name.
        """
        self._check_known(name)
        if name in self.domains:
            return self.domains[name].check(name, value)
        return _like(name, self.fixed[name], value)

    def static(self, configuration: Mapping[str, Value]) -> dict[str, Value]:
        """The part of a configuration that a program is compiled for."""
        return {
            name: value
            for name, value in configuration.items()
            if name not in self.domains or self.domains[name].is_static
        }

    def traced(self, configuration: Mapping[str, Value]) -> dict[str, Value]:
        """The part of a configuration that differs from lane to lane of a program."""
        static = self.static(configuration)
        return {n: value for n, value in configuration.items() if n not in static}

    def replace(
        self, changes: Mapping[str, Any] | None = None, /, **entries: Any
    ) -> "Space":
        """A copy in which some names have another domain or plain value.

        Args:
            changes: by flat name, dots included: `{"optimizer.adam.b1": 0.9}`.
            **entries: the same by keyword.
        """
        space = self
        for name, entry in {**(changes or {}), **entries}.items():
            space._check_known(name)
            space = _put(space, name.split("."), entry)
        return space

    def describe(self) -> dict[str, dict[str, Any]]:
        """The space as JSON data, by flat name."""
        return {
            name: entry.describe() if isinstance(entry, Domain) else _describe(entry)
            for name, entry in flat(self)
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    @property
    def _text(self) -> str:
        return json.dumps(self.describe())

    def _check_known(self, name: str) -> None:
        if name not in self.domains and name not in self.fixed:
            known = [*self.domains, *self.fixed]
            raise ValueError(unknown("hyperparameter", name, known))


def flat(space: SubSpace, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All names of a space with their domains or plain values, sub-spaces included."""
    for key, entry in space.entries.items():
        yield prefix + key, entry
        if isinstance(entry, Choice):
            for branch, inner in entry.spaces.items():
                yield from flat(inner, f"{prefix}{key}.{branch}.")


def fixed_to(entry: Domain | Value, value: Value) -> Any:
    """What a name becomes when a value that its domain has checked is all that is left.

    A choice that opens spaces keeps what the value opens.
    """
    if isinstance(entry, Choice) and isinstance(value, str) and entry.spaces:
        return Choice({value: entry.spaces[value]}, role=entry.role)
    return value


def hangs_on(name: str) -> Iterator[tuple[str, str]]:
    """What must be chosen for a flat name to be active: `Choice` and value.

    Examples:
        >>> list(hangs_on("optimizer.adam.b1"))
        [('optimizer', 'adam')]
    """
    parts = name.split(".")
    for end in range(1, len(parts) - 1, 2):
        yield ".".join(parts[:end]), parts[end]


def is_active(name: str, values: Mapping[str, Value]) -> bool:
    """Whether values choose all that a flat name hangs on."""
    return all(values.get(choice) == branch for choice, branch in hangs_on(name))


def is_enumerated(entry: Any) -> bool:
    """Whether all values are tried, one combination each, instead of sampled."""
    return isinstance(entry, Choice) and entry.role == "scientific"


def _checked(name: str, entry: Any) -> Domain | Value:
    if not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name):
        raise ValueError(
            "a hyperparameter's name is a Python identifier without a leading "
            f"underscore, but got {name!r}"
        )
    if name in HORIZONS:
        raise ValueError(
            f"`{name}` does not belong in a space: trials are compared at one "
            "horizon, which their round sets, tuner.Round(max_train_steps=...)"
        )
    if name == "replace":
        raise ValueError("`replace` is taken by Hyperparams.replace: rename it")
    if isinstance(entry, Choice):
        _check_spaces(name, entry)
    return entry if isinstance(entry, Domain) else plain(name, entry)


def _check_spaces(name: str, choice: Choice) -> None:
    for branch, space in choice.spaces.items():
        if "name" in space.entries:
            raise ValueError(
                f"`{name}.{branch}.name` must be renamed, for `{name}.name` is the "
                "chosen name"
            )
        for inner, entry in flat(space, f"{name}.{branch}."):
            if is_enumerated(entry) and not is_enumerated(choice):
                raise ValueError(
                    f"`{inner}` is scientific but hangs on `{name}`, a nuisance, so "
                    "that its values cannot be compared everywhere: make "
                    f"`{name}` scientific, or `{inner}` a nuisance"
                )


def _combinations(space: SubSpace, prefix: str = "") -> list[dict[str, Value]]:
    found: list[dict[str, Value]] = [{}]
    for key, choice in space.entries.items():
        if is_enumerated(choice):
            name = prefix + key
            options = [
                {name: value} | inner
                for value in choice.values
                for inner in _inner_combinations(choice, value, f"{name}.{value}.")
            ]
            found = [before | option for before in found for option in options]
    return found


def _inner_combinations(
    choice: Choice, value: Value, prefix: str
) -> list[dict[str, Value]]:
    if isinstance(value, str) and value in choice.spaces:
        return _combinations(choice.spaces[value], prefix)
    return [{}]


def _like(name: str, fixed: Value, value: Any) -> Value:
    """A value in the place of a fixed one, whose type it must have."""
    if isinstance(fixed, float):
        return number(name, value)
    other = plain(name, value)
    if type(other) is not type(fixed):
        raise TypeError(
            f"`{name}` is fixed as a {type(fixed).__name__} ({fixed!r}), but got "
            f"{value!r}"
        )
    return other


def _put(space: SubSpace, path: list[str], entry: Any) -> Space:
    key, *rest = path
    if rest:
        branch, *inner = rest
        choice = space.entries[key]
        changed = _put(choice.spaces[branch], inner, entry)
        entry = _reopened(choice, choice.spaces | {branch: changed})
    return Space(**{**space.entries, key: entry})


def _reopened(choice: Choice, spaces: Mapping[str, SubSpace]) -> Choice:
    return Choice(
        spaces,
        role=choice.role,
        kind=choice.kind,
        off=choice.off,
        hard=choice.hard,
        static=choice.static,
    )


def _describe(value: Value) -> dict[str, Any]:
    plain_value = list(value) if isinstance(value, tuple) else value
    return {"type": "fixed", "value": plain_value, "role": "fixed"}
