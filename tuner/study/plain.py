"""A study without what regularizes or augments, with rates to search on a log scale.

What acts so is what its domain's `kind` says; what switches it off is its `off`.
"""

import dataclasses

from tuner.study.domains import Choice, Float, Range
from tuner.study.names import unknown
from tuner.study.space import Space, fixed_to
from tuner.study.study import Round, Study
from tuner.study.values import Value

SWITCHED_OFF = ("augmentation", "regularization")  # kinds
AROUND = 30  # a rate that is fixed, the grid reaches from 1/30 to 30 times it
BELOW = 1000  # a range that begins at 0 is searched from this part of its end on


def without_regularization(study: Study, rate: str) -> Study:
    """The study with what regularizes or augments at its `off` value.

    It has no rounds worth training: they follow.

    Args:
        study: the user's.
        rate: the learning rate's name.
    """
    space = study.space
    for name, off in off_values(space).items():
        if name in space.domains:  # and not in a space that is closed by now
            space = space.replace({name: fixed_to(space.domains[name], off)})
    entries = {**space.domains, **space.fixed}
    rates = {name: _rates(name, entries[name]) for name in rate_names(space, rate)}
    space = space.replace(rates)
    rounds = [Round(trials=len(space.combinations()), max_train_steps=1)]
    return dataclasses.replace(study, space=space, rounds=rounds, eval_every=1, stop=())


def off_values(space: Space) -> dict[str, Value]:
    """What switches off each regularization and augmentation that is searched.

    Raises:
        ValueError: for a domain that does not say.
    """
    kinds = {name: domain.kind for name, domain in space.domains.items()}
    off = {n: space.domains[n].off for n, kind in kinds.items() if kind in SWITCHED_OFF}
    for name, value in off.items():
        domain = space.domains[name]
        if value is None and not (isinstance(domain, Choice) and None in domain.values):
            raise ValueError(
                "regularization and augmentation are switched off here, but the domain "
                f"of `{name}` ({domain.kind}) does not say by which value: give it "
                "off=, as in tuner.Float(1e-6, 1e-1, log=True, off=0.0, "
                f'kind="{domain.kind}"), or fix it, --set {name}=...'
            )
    return off


def unkind(space: Space, rate: str) -> list[str]:
    """The searched names that do not say what they act on, which may regularize."""
    return [
        name
        for name, domain in space.domains.items()
        if domain.kind is None
        and domain.role == "nuisance"
        and name.rpartition(".")[2] != rate
    ]


def rate_names(space: Space, rate: str) -> list[str]:
    """The flat names of the learning rate: one in each sub-space that has its own.

    Raises:
        ValueError: where there is none.
    """
    known = [*space.domains, *space.fixed]
    if found := [name for name in known if name.rpartition(".")[2] == rate]:
        return found
    raise ValueError(
        f"{unknown('learning rate', rate, known)}; say which of them is the rate, "
        "rate=... (--rate NAME)"
    )


def _rates(name: str, entry: object) -> Float:
    """The range of rates, whatever the study has in its place."""
    if isinstance(entry, Range):
        low, high = _rate(name, entry.low), _rate(name, entry.high)
    elif isinstance(entry, Choice):
        values = [_rate(name, value) for value in entry.values]
        low, high = min(values), max(values)
    else:
        low = high = _rate(name, entry)
    if high <= 0:
        raise ValueError(f"`{name} > 0` must hold of a learning rate, but got {entry}")
    if low == high:
        return Float(high / AROUND, high * AROUND, log=True)
    return Float(low if low > 0 else high / BELOW, high, log=True)


def _rate(name: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(
            f"a learning rate is a number, but `{name}` is {value!r}: say which "
            "hyperparameter is the rate, rate=... (--rate NAME)"
        )
    return float(value)
