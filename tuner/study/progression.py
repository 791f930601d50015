"""What rounds are to each other: each goes on from what those before have left.

Rounds are numbered from 1.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tuner.study.rounds import Round
from tuner.study.space import Space


@dataclasses.dataclass(frozen=True)
class Progression:
    """The rounds of a study, and what they begin with.

    Attributes:
        rounds: in order.
        space: of the first, unless it says otherwise.
        eval_every: of those that do not say otherwise.
    """

    rounds: Sequence[Round]
    space: Space
    eval_every: int

    def space_at(self, number: int) -> Space:
        """The space that the new trials of a round are sampled from."""
        space = self.space
        for round_ in self.rounds[:number]:
            space = round_.space_after(space)
        return space

    def version_at(self, number: int) -> int:
        """How often the space has changed by then: the number of its sequence."""
        return sum(bool(round_.space) for round_ in self.rounds[:number])

    def drawn_before(self, number: int) -> tuple[int, int]:
        """Samples a combination has drawn before a round: ever, and of its version."""
        version, ever, since = self.version_at(number), 0, 0
        for earlier, round_ in enumerate(self.rounds[: number - 1], start=1):
            drawn = round_.trials // len(self.space_at(earlier).combinations())
            ever += drawn
            since += drawn if self.version_at(earlier) == version else 0
        return ever, since

    def eval_every_at(self, number: int) -> int:
        """Steps between two evaluations of a round's trials."""
        return self.rounds[number - 1].eval_every or self.eval_every

    def combinations_in(self, number: int) -> list[dict[str, Any]]:
        """The scientific combinations that a round can have trials of."""
        round_, space = self.rounds[number - 1], self.space_at(number)
        there = self.combinations_in(number - 1) if round_.num_promoted else []
        new = space.combinations() if round_.trials else []
        pointed = [combination_of(space, point) for point in round_.points]
        every = [*there, *new, *pointed]
        return [c for i, c in enumerate(every) if c not in every[:i]]

    def replicates(self, number: int) -> range:
        """The replicate numbers of what begins in a round, fresh in a later one."""
        seeds = self.rounds[number - 1].seeds
        if seeds is None:
            return range(1)
        used = max((self.replicates(n).stop for n in range(1, number)), default=0)
        return range(used, used + seeds)

    def most_replicates(self, number: int) -> int:
        """How many trials of one configuration and schedule a round can have."""
        round_ = self.rounds[number - 1]
        if round_.seeds is not None:
            return round_.seeds
        return self.most_replicates(number - 1) if round_.num_promoted else 1

    def num_new(self, number: int) -> int:
        """The trials that begin with a round."""
        return self.rounds[number - 1].num_new * len(self.replicates(number))

    def most_promoted(self, number: int) -> int:
        """The trials that go on in a round, at most."""
        round_ = self.rounds[number - 1]
        if not round_.num_promoted:
            return 0
        each = max(1, len(round_.extensions)) * self.most_replicates(number)
        return round_.num_promoted * each

    def check(self) -> None:
        """Refuse rounds that do not follow from each other.

        Raises:
            ValueError: with the rule, the values and the remedy.
        """
        if not self.rounds:
            raise ValueError("a study needs at least one Round, but got none")
        if self.rounds[0].num_promoted:
            first = self.rounds[0]
            raise ValueError(
                "the first round has no earlier trials to keep, but got "
                f"{_promoted(first)}: use trials= or points="
            )
        for number in range(1, len(self.rounds) + 1):
            self._check_evaluations(number)
            if number > 1:
                self._check_horizon(number)
                self._check_kept(number)
            self._check_shares(number)

    def checked_rounds(self) -> Sequence[Round]:
        """The rounds, their points' values as the space writes them (NumPy's too)."""
        checked = []
        for number, round_ in enumerate(self.rounds, start=1):
            space = self.space_at(number)
            points = [
                {name: space.complete(point)[name] for name in point}
                for point in round_.points
            ]
            checked.append(dataclasses.replace(round_, points=points))
        return checked

    def common_interval(self, number: int) -> int:
        """Steps whose multiples are evaluated in a round and in the following one."""
        following = min(number + 1, len(self.rounds))
        return math.lcm(self.eval_every_at(number), self.eval_every_at(following))

    def _check_evaluations(self, number: int) -> None:
        steps = self.rounds[number - 1].max_train_steps
        every = self.eval_every_at(number)
        if steps % every:
            low = steps // every * every
            raise ValueError(
                "eval_every must divide every max_train_steps, but got "
                f"(eval_every={every}, max_train_steps={steps}) in round {number}: "
                f"{low or every} or {low + every} would do"
            )

    def _check_horizon(self, number: int) -> None:
        round_, before = self.rounds[number - 1], self.rounds[number - 2]
        steps, earlier = round_.max_train_steps, before.max_train_steps
        repeats = (
            steps == earlier and round_.seeds is not None and not round_.extensions
        )
        if steps <= earlier and not repeats:
            raise ValueError(
                "each round must be longer than the one before, unless it repeats "
                "trials with seeds= and no extend=, but got "
                f"max_train_steps={steps} after {earlier}"
            )
        if round_.num_promoted and steps > earlier and not round_.extensions:
            raise ValueError(
                "a kept trial's schedule must become longer by a rule, but got "
                f"(keep={round_.keep}, extend=None) in round {number}: pass "
                "extend=tuner.LengthenConstant() for schedules with a constant phase, "
                "tuner.Stretch() for a cosine"
            )

    def _check_kept(self, number: int) -> None:
        round_, before = self.rounds[number - 1], self.rounds[number - 2]
        there = before.num_new + before.num_promoted * max(1, len(before.extensions))
        if round_.kept_trials is None and round_.num_promoted > there:
            raise ValueError(
                "`keep <= trials of the round before` must hold, but got "
                f"({_promoted(round_)}, trials={there}) in round {number}"
            )

    def _check_shares(self, number: int) -> None:
        round_ = self.rounds[number - 1]
        new = len(self.space_at(number).combinations())
        _check_share("trials", round_.trials, new, number)
        if number > 1 and round_.across == "each" and round_.kept_trials is None:
            there = len(self.combinations_in(number - 1))
            _check_share("keep", round_.num_kept, there, number)


def combination_of(space: Space, point: Mapping[str, Any]) -> dict[str, Any]:
    """The scientific combination that a point belongs to."""
    whole = space.complete(point).items()
    return next(c for c in space.combinations() if c.items() <= whole)


def _promoted(round_: Round) -> str:
    """As it was asked for."""
    control = f", control={round_.control}" if round_.control else ""
    return f"keep={round_.keep}{control}"


def _check_share(name: str, value: int, combinations: int, number: int) -> None:
    if value % combinations:
        low = value // combinations * combinations
        near = [str(n) for n in (low, low + combinations) if n]
        raise ValueError(
            f"{name} is shared evenly by the {combinations} scientific "
            f"combinations, but got {name}={value} in round {number}: "
            f"{' or '.join(near)} would do"
        )
