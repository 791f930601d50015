"""A round: trials that train to one horizon, new ones and the best of those before."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuner.study.domains import Choice, Domain
from tuner.study.extension import LengthenConstant, LengthenDecay, Stretch
from tuner.study.space import Space
from tuner.study.values import plain, whole

Extend = Callable[[Any, int], Any]
KNOWN = (LengthenConstant, Stretch, LengthenDecay)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Round:
    """Trials that train to one horizon.

    Args:
        max_train_steps: the horizon of every trial in the round, steps.
        trials: how many new configurations are sampled, shared evenly by the
            scientific combinations.
        points: explicit configurations that run beside the sampled ones: flat names
            to values, all that is searched.
        keep: how many of the previous round's configurations go on, shared evenly by
            the scientific combinations; or the numbers of the trials that do. The
            broken never do.
        across: "each": every scientific combination keeps its share. "all": all are
            ranked together, and a combination may drop out.
        control: how many go on besides, drawn from those that are not among the best:
            without them nothing is known of what the short runs have missed.
        extend: how a kept trial's schedule becomes longer: a rule such as
            `LengthenConstant()`, or any `(schedule, max_train_steps) -> schedule`;
            of several, each makes a trial of its own.
        seeds: train every configuration so often, each time from other random numbers;
            they are ranked by their mean. Those that are kept begin afresh then, with
            seeds that no round before has used, the same ones for each configuration.
        space: domains that new trials are sampled from in place of the study's, from
            this round on; or values to hold, by flat name.
        eval_every: steps between evaluations, in place of the study's.

    Raises:
        ValueError: for a round that would train nothing, or numbers out of range.
    """

    max_train_steps: int
    trials: int = 0
    points: Sequence[Mapping[str, Any]] = ()
    keep: int | Sequence[int] = 0
    across: str = "each"
    control: int = 0
    extend: Extend | Sequence[Extend] | None = None
    seeds: int | None = None
    space: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    eval_every: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", tuple(dict(p) for p in self.points))
        object.__setattr__(self, "space", dict(self.space))
        if isinstance(self.extend, Sequence):
            object.__setattr__(self, "extend", tuple(self.extend))
        if isinstance(self.keep, Sequence):
            _check_numbers(self.keep)
            object.__setattr__(self, "keep", tuple(self.keep))
        _check_counts(self)
        if not (self.trials or self.points or self.num_promoted):
            raise ValueError("a round needs trials=, points= or keep=, but has none")
        if self.across not in ("each", "all"):
            raise ValueError(f'across must be "each" or "all", but got {self.across!r}')
        texts = [extension_text(one) for one in self.extensions]
        if len(set(texts)) < len(texts):
            raise ValueError(
                "extensions of a round are told apart by what they are called, but got "
                f"{', '.join(texts)}: leave one out, or give functions other names"
            )
        repeats = self.seeds is not None and self.extend is None
        if bool(self.num_promoted) != (self.extend is not None) and not repeats:
            raise ValueError(
                "keep= and extend= go together, but got "
                f"(keep={self.keep}, extend={self.extend}): pass "
                "extend=tuner.LengthenConstant() for schedules with a constant phase, "
                "tuner.Stretch() for a cosine"
            )

    @property
    def kept_trials(self) -> tuple[int, ...] | None:
        """The trials that go on, where they were named; else the best do."""
        return None if isinstance(self.keep, int) else tuple(self.keep)

    @property
    def num_kept(self) -> int:
        """How many configurations go on because they are the best, or were named."""
        return self.keep if isinstance(self.keep, int) else len(self.keep)

    @property
    def num_promoted(self) -> int:
        """How many configurations go on, the controls among them."""
        return self.num_kept + self.control

    @property
    def num_new(self) -> int:
        """How many configurations begin with it."""
        return self.trials + len(self.points)

    @functools.cached_property
    def extensions(self) -> tuple[Extend, ...]:
        """Its extensions, each of one decay."""
        if self.extend is None:
            return ()
        several = (self.extend,) if callable(self.extend) else self.extend
        return tuple(
            one
            for rule in several
            for one in (rule.each() if isinstance(rule, LengthenConstant) else (rule,))
        )

    def space_after(self, space: Space) -> Space:
        """The space that its trials are sampled from, given the one before.

        A number that is held stays a number of each lane, so that no program changes.
        """
        held = {
            name: _held(name, space.domains.get(name), entry)
            for name, entry in self.space.items()
        }
        return space.replace(held)

    def describe(self) -> dict[str, Any]:
        """The round as JSON data."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        extend: Any = self.extend
        if extend is not None:
            several = not callable(extend)
            extend = (
                list(map(describe_extension, extend))
                if several
                else describe_extension(extend)
            )
        return fields | {
            "extend": extend,
            "keep": self.keep if isinstance(self.keep, int) else list(self.keep),
            "points": [dict(point) for point in self.points],
            "space": {
                name: entry.describe() if isinstance(entry, Domain) else entry
                for name, entry in self.space.items()
            },
        }


def geometric_rounds(
    *,
    trials: int,
    first: int,
    growth: int,
    last: int,
    extend: Extend | Sequence[Extend],
    across: str = "each",
    multiple_of: int = 1,
    control: int = 0,
) -> list[Round]:
    """Rounds whose horizons grow as their trials become fewer: successive halving.

    Every trial is annealed to its own horizon, so that those compared have all ended.

    Args:
        trials: of the first round.
        first: its horizon, steps.
        growth: the horizon's factor from round to round, and the share that is kept.
        last: the horizon of the last round: `first` times a power of `growth`.
        extend: the rule, or rules, by which schedules become longer.
        across: as in `Round`.
        multiple_of: what the trials kept are a multiple of, rounded up: the number of
            scientific combinations.
        control: as in `Round`, of each but the first.

    References:
        Kevin Jamieson and Ameet Talwalkar, Non-stochastic Best Arm Identification and
        Hyperparameter Optimization, 2015, https://arxiv.org/abs/1502.07943
    """
    if growth < 2 or first < 1:
        raise ValueError(
            "`growth >= 2` and `first >= 1` must hold, but got "
            f"(growth={growth}, first={first})"
        )
    horizons = [first]
    while horizons[-1] < last:
        horizons.append(horizons[-1] * growth)
    if horizons[-1] != last:
        near = [str(steps) for steps in horizons[-2:]]
        raise ValueError(
            "`last` must be `first` times a power of `growth`, but got (first="
            f"{first}, growth={growth}, last={last}): {' or '.join(near)} would do"
        )
    rounds = [Round(trials=trials, max_train_steps=first)]
    for power, steps in enumerate(horizons[1:], start=1):
        share = -(-trials // growth**power)
        rounds.append(
            Round(
                keep=-(-share // multiple_of) * multiple_of,
                max_train_steps=steps,
                extend=extend,
                across=across,
                control=control,
            )
        )
    return rounds


def round_of(described: Mapping[str, Any]) -> Round:
    """The round that a description is of.

    Raises:
        ValueError: for what a description does not hold: functions, and domains.
    """
    if described["space"] or described["points"]:
        raise ValueError(
            "a round with points or a space of its own is written in the study, but "
            f"the run has {described} and the study has not: add it there"
        )
    extend = described["extend"]
    if isinstance(extend, Mapping):
        extend = _extension_of(extend)
    elif extend is not None:
        extend = tuple(map(_extension_of, extend))
    return Round(**{**described, "extend": extend})


def describe_extension(rule: Extend) -> dict[str, Any]:
    """An extension as JSON data; of a function its name."""
    name = getattr(rule, "__name__", type(rule).__name__)
    return getattr(rule, "describe", lambda: {"function": name})()


def extension_text(rule: Extend) -> str:
    """An extension as it is written in a study: `LengthenConstant(decay_steps=150)`."""
    described = dict(describe_extension(rule))
    kind = described.pop("type", None)
    if kind is None:
        return described["function"]
    options = [f"{n}={v!r}" for n, v in described.items() if v is not None]
    return f"{kind}({', '.join(options)})"


def _extension_of(described: Mapping[str, Any]) -> Extend:
    fields = dict(described)
    name = fields.pop("type", None)
    known = {extension.__name__: extension for extension in KNOWN}
    if name not in known:
        raise ValueError(
            f"an extension of your own, {described}, is written in the study: list "
            "there the rounds that the run has"
        )
    return known[name](**fields)


def _held(name: str, domain: Domain | None, entry: Any) -> Any:
    """What a round makes of a domain: another one, or a single value of it."""
    if domain is None or isinstance(entry, Domain):
        return entry
    value = domain.check(name, plain(name, entry))
    if not isinstance(domain, Choice):
        return Choice(value, kind=domain.kind, static=domain.is_static)
    opens = isinstance(value, str) and value in domain.spaces
    return Choice(
        {value: domain.spaces[str(value)]} if opens else value,
        role=domain.role,
        kind=domain.kind,
        static=domain.is_static,
    )


MOST_STEPS = 10**8  # a trial's rates are in memory, 400 MB of them
MOST_TRIALS = 10**6  # of a round: all are planned before any trains


def _check_counts(round_: Round) -> None:
    least = {"max_train_steps": 1, "trials": 0, "control": 0}
    least |= {"keep": 0} if isinstance(round_.keep, int) else {}
    least |= {"seeds": 1} if round_.seeds is not None else {}
    least |= {"eval_every": 1} if round_.eval_every is not None else {}
    for name, smallest in least.items():
        value = getattr(round_, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            raise ValueError(
                f"`{name} >= {smallest}`, a whole number, must hold, "
                f"but got {name}={value!r}"
            )
        most = MOST_STEPS if name in ("max_train_steps", "eval_every") else MOST_TRIALS
        if value > most:
            raise ValueError(
                f"`{name} <= {most:,}` must hold, but got {name}={value:,}: use "
                "several studies, or a task of which a step does more"
            )


def _check_numbers(keep: Sequence[int]) -> None:
    numbers = [whole("keep", trial) for trial in keep]
    if len(set(numbers)) < len(numbers) or min(numbers, default=0) < 0:
        raise ValueError(
            f"keep= takes the numbers of different trials, but got {list(keep)}"
        )
