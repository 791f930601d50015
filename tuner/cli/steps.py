"""What `tuner steps` prints: the verdict, the rates, and the line to type next."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from tuner.cli.tables import make_table
from tuner.cli.texts import aligned
from tuner.rounds.fit import ANSWER, NOT_FITTED, StepsToFit
from tuner.rounds.wording import count, number
from tuner.store import verdict
from tuner.study.study import Study

BAR = 24  # characters of the longest bar
STILL_FALLING = 0.1  # of what was left after half the search's steps
EVALUATIONS = 20  # of a trial, without which its best step is known badly
WITHOUT_EFFECT = ("schedule", "warm-up")  # kinds, under a constant rate


def print_steps(
    found: StepsToFit,
    study: Study,
    directory: Path,
    arguments: Sequence[str],
    console: Console,
) -> None:
    """The verdict with its evidence, and what to type next.

    Args:
        found: what `find_steps` returned.
        study: the user's.
        directory: where the verdict is kept.
        arguments: of the command, after `tuner`.
        console: where to.
    """
    console.print(f"{study.name}: {found.text}\n", soft_wrap=True)
    if found.rates.height:
        console.print(_table(found))
        console.print()
    facts = aligned({n: f for n, f in _facts(found, study, directory).items() if f})
    console.print(facts, soft_wrap=True)
    for line in _next(found, study, arguments):
        console.print(f"\n{line}", soft_wrap=True)


def with_options(arguments: Sequence[str], options: Mapping[str, str]) -> Iterator[str]:
    """The arguments of a command with other values for some of its options.

    Args:
        arguments: with or without them, as `--low 0.1` or `--low=0.1`.
        options: names to values.
    """
    left = iter(arguments)
    for argument in left:
        name, equals, _ = argument.partition("=")
        if name not in options:
            yield argument
        elif not equals:
            next(left, None)
    for name, value in options.items():
        yield from (name, value)


def _facts(found: StepsToFit, study: Study, directory: Path) -> dict[str, str]:
    """What the verdict rests on, and where all of it is kept."""
    unknown = ", ".join(found.unknown)
    rate = number(found.configuration.get(found.rate))
    return {
        "search": f"the first to fit did in {count(found.searched_steps, 'step')}, at "
        f"{found.rate} {rate}"
        if found.fits
        else "",
        "configuration": _values(_shown(found, study)),
        "switched off": _values(found.off) or "nothing",
        "not known": f"may regularize, for no kind= says, and was searched: {unknown}"
        if unknown
        else "",
        "kept": str(Path(directory, verdict.FOLDER, verdict.NAME)),
    }


def _table(found: StepsToFit):
    """Steps against rate, with a bar as long as they are many."""
    rates = found.rates
    longest = max(rates["within"].to_list())
    return make_table(
        {
            "rate": rates["learning_rate"],
            "steps to fit": [
                _steps(*row) for row in rates["outcome", "steps", "within"].rows()
            ],
            "": ["█" * round(BAR * (n or 0) / longest) for n in rates["steps"]],
            f"best {found.metric}": rates["best"],
        },
        "Steps to fit the training set, by constant rate",
    )


def _steps(outcome: str, steps: int | None, within: int) -> str:
    if steps is not None:
        return f"{steps:,}"
    return outcome if outcome == "diverged" else f"more than {within:,}"


def _shown(found: StepsToFit, study: Study) -> dict[str, Any]:
    """What has an effect at every rate: no warm-up, nothing that makes schedules."""
    kinds = {name: domain.kind for name, domain in study.space.domains.items()}
    return {
        name: value
        for name, value in found.configuration.items()
        if name not in (found.rate, *found.off)
        and kinds.get(name) not in WITHOUT_EFFECT
    }


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={number(value)}" for name, value in values.items())


def _next(found: StepsToFit, study: Study, arguments: Sequence[str]) -> Iterator[str]:
    """What to type next, and why."""
    if found.verdict == ANSWER:
        assert found.steps is not None
        every = max(1, found.steps // EVALUATIONS)
        steps = -(-found.steps // every) * every
        trials = study.rounds[0].trials or found.searched_trials
        yield (
            "Next, in the study (then tuner run):\n\n  rounds=[tuner.Round("
            f"trials={trials}, max_train_steps={steps})], eval_every={every},"
        )
    elif found.next_grid is not None:
        low, high = map(number, found.next_grid)
        following = with_options(arguments, {"--low": low, "--high": high})
        yield f"Next:\n\n  {shlex.join(['tuner', *following])}"
    elif found.verdict == NOT_FITTED:
        yield f"Next:\n\n  {_run(study, arguments)}"
        if found.closest is not None and _is_falling(found):
            further = {"--max-steps": str(4 * found.searched_steps)}
            more = shlex.join(["tuner", *with_options(arguments, further)])
            yield f"It was still falling; to look further:\n\n  {more}"


def _run(study: Study, arguments: Sequence[str]) -> str:
    """The command that runs the study's rounds, or the rounds it should have."""
    if len(study.rounds) > 1:
        reference = next(a for a in arguments[1:] if ".py" in a)
        return shlex.join(["tuner", "run", reference])
    (first,) = study.rounds
    trials = first.trials or len(first.points)
    combinations = len(study.space.combinations())
    keep = max(trials // 8 // combinations, 1) * combinations
    longer = 4 * first.max_train_steps
    return (
        f"rounds=[tuner.Round(trials={trials}, max_train_steps="
        f"{first.max_train_steps}),\n          tuner.Round(keep={keep}, "
        f"max_train_steps={longer}, extend=tuner.LengthenConstant())]"
    )


def _is_falling(found: StepsToFit) -> bool:
    """Whether the best trial came much closer in the second half of its steps."""
    assert found.closest is not None
    best, before = (abs(value - found.perfect) for value in found.closest)
    return before - best > STILL_FALLING * before
