"""What a study would run, in words, before anything is compiled.

Only where the host reads the batches a program is: to say whether reading keeps up.
"""

import collections
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuner.lanes import input_speed
from tuner.lanes.compile_cache import programs_kept
from tuner.lanes.feed import WORTH_TELLING, remedies
from tuner.lanes.layout import Layout
from tuner.rounds.disk import most_bytes
from tuner.rounds.groups import make_job
from tuner.rounds.layouts import Layouts
from tuner.rounds.preflight import Plan
from tuner.rounds.room import Room
from tuner.rounds.rules import warning
from tuner.rounds.trials import Trial
from tuner.rounds.wording import amount, count
from tuner.study.keep import EVERYTHING
from tuner.study.rounds import Round, extension_text
from tuner.study.source import Source

LISTED = 6  # scientific combinations, more are only counted
MUCH = 2**30  # bytes on the disk
FEW = 4  # trials a program: with fewer, lanes stand empty


def outline(plan: Plan, layout: str | None = None, memory: str | None = None) -> str:
    """Rounds, programs and totals, a line each; of a source, whether it keeps up.

    Args:
        plan: what `preflight` returns.
        layout: of every program; as it is chosen before any measuring if None.
        memory: of each device; if given, what every program needs is said, for which
            small programs are compiled.

    Raises:
        ValueError: for a layout that cannot be, or does not fit.
    """
    room = Room(plan, memory)
    title = f"{plan.study.name}: {plan.study.goal}".removesuffix(": ")
    everything = [trial for trials in plan.rounds for trial in trials]
    groups = plan.members
    known = Layouts(plan.groups, {}, layout, room)
    layouts = {name: known.guess(name, len(groups[name]))[0] for name in groups}
    blocks = [
        [title],
        _rounds(plan),
        _programs(plan, groups, layouts),
        [
            _totals(plan, everything),
            _disk(plan, layouts),
            *_batches(plan, groups),
            *_warnings(plan, groups),
        ],
    ]
    if isinstance(source := plan.study.task.train, Source):
        blocks.append(_input(plan, layouts, source))
    if memory is not None:
        blocks += [[room.table(name, layouts[name])] for name in groups]
    return "\n\n".join("\n".join(block) for block in blocks)


def _rounds(plan: Plan) -> Iterator[str]:
    progression = plan.study.progression
    rounds = zip(plan.study.rounds, plan.rounds, strict=True)
    for number, (round_, trials) in enumerate(rounds, start=1):
        steps = f"{round_.max_train_steps:,} steps each"
        if trials:
            new = _sum(count(len(trials), "trial"), [t.combination for t in trials])
            yield f"round {number}  {new}, {steps}"
        if promoted := progression.most_promoted(number):
            combinations = progression.combinations_in(number - 1)
            kept = _sum(f"{promoted} promoted", _kept(round_, promoted, combinations))
            controls = f", {round_.control} of them controls" if round_.control else ""
            yield f"round {number}  {kept}{controls}, {steps}, {_rules(round_)}"


def _kept(
    round_: Round, promoted: int, combinations: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The combination of each trial that is kept, as far as it is known."""
    if round_.across == "all" or round_.kept_trials is not None or round_.control:
        return []
    return [c for c in combinations for _ in range(promoted // len(combinations))]


def _sum(total: str, combinations: Sequence[Mapping[str, Any]]) -> str:
    """Trials by scientific combination, `9 trials = 3 relu + 3 gelu + 3 tanh`."""
    shares = collections.Counter(map(_named, combinations))
    if len(shares) > LISTED:
        return f"{total} of {len(shares)} scientific combinations"
    parts = [f"{number:,} {name}" for name, number in shares.items() if name]
    return f"{total} = {' + '.join(parts)}" if parts else total


def _named(combination: Mapping[str, Any]) -> str:
    """A combination in words; what is no word has its name before it."""
    return " ".join(
        value if isinstance(value, str) else f"{name}={value}"
        for name, value in combination.items()
    )


def _rules(round_: Round) -> str:
    """How schedules become longer, as it is written in the study."""
    if not round_.extensions:
        return "by the same schedules"
    return f"extended by {' and '.join(map(extension_text, round_.extensions))}"


def _programs(
    plan: Plan, groups: Mapping[str, Sequence[Trial]], layouts: Mapping[str, Layout]
) -> Iterator[str]:
    width = max(map(len, groups))
    yield f"{count(len(groups), 'program')}:"
    for name, members in groups.items():
        trials = count(len(members), "trial")
        parameters = count(plan.groups[name].parameters, "parameter")
        yield f"  {name:{width}}  {trials}, layout {layouts[name]}, {parameters}"


def _totals(plan: Plan, trials: Sequence[Trial]) -> str:
    """Steps and examples; what promoted trials need not repeat is not taken off."""
    study = plan.study
    sizes = {t.trial: study.examples_per_step(t.hyperparams) for t in trials}
    numbered = enumerate(study.rounds, start=1)
    promoted = study.progression.most_promoted
    kept = sum(promoted(number) * r.max_train_steps for number, r in numbered)
    steps = kept + sum(t.max_train_steps for t in trials)
    examples = kept * max(sizes.values())
    examples += sum(t.max_train_steps * sizes[t.trial] for t in trials)
    most = "at most " if kept else ""
    return f"{most}{count(steps, 'step')} in all, {count(examples, 'example')}"


def _disk(plan: Plan, layouts: Mapping[str, Layout]) -> str:
    """What is kept takes so much, and how to bound it where nothing does."""
    size = most_bytes(plan, sum(layout.lanes for layout in layouts.values()))
    bound = "; snapshots=tuner.Keep(best=..., branch=...) bounds that"
    hint = bound if size >= MUCH and plan.study.snapshots == EVERYTHING else ""
    return f"states take at most {amount(size, 'B')} on the disk{hint}"


def _batches(plan: Plan, groups: Mapping[str, Sequence[Trial]]) -> Iterator[str]:
    """What batch sizes cost, as they are and the other way, where there are several."""
    study = plan.study
    sizes = collections.Counter()
    for trial in (trial for members in groups.values() for trial in members):
        sizes[study.batch_size(trial.hyperparams)] += trial.max_train_steps
    if len(sizes) < 2:
        return
    steps = sum(sizes.values())
    micro = study.micro_batch_size or math.gcd(*sizes)
    parts = sum(count * (size // micro) for size, count in sizes.items())
    apart = "one program a size", f"{count(steps, 'step')} in whole batches"
    shared = "one program for all sizes", f"{parts:,} micro-batches of {micro}"
    now, other = (shared, apart) if study.task.traces_batch_size else (apart, shared)
    yield f"batch sizes: {', '.join(now)}; the other way {', '.join(other)}"


def _input(plan: Plan, layouts: Mapping[str, Layout], source: Source) -> Iterator[str]:
    """What the source delivers, and what the program with most trials takes."""
    name, members = max(plan.members.items(), key=lambda item: len(item[1]))
    job = make_job(plan.study, members[0], start_step=0, trained=None)
    with programs_kept():
        found = input_speed.measure(plan.group(name), layouts[name], job)
    yield (
        f"input: {count(source.threads, 'thread')} read {found.read:,.0f} examples/s; "
        f"on a cached batch, program {name} in layout {layouts[name]} trains "
        f"{found.trained:,.0f} examples/s"
    )
    if found.waiting_share < WORTH_TELLING:
        yield "reading keeps up"
    else:
        yield (
            f"warning: input-bound, the devices would wait {found.waiting_share:.0%} "
            f"of the time: {remedies(source)}"
        )


def _warnings(plan: Plan, groups: Mapping[str, Sequence[Trial]]) -> Iterator[str]:
    if text := warning(plan.study, plan.rounds[0]):
        yield text
    trials = sum(map(len, groups.values()))
    if trials < FEW * len(groups):
        yield (
            f"warning: lanes gain little for {count(trials, 'trial')} in "
            f"{count(len(groups), 'program')}, fewer than {FEW} each: a number needs "
            "static=True only where it sets a shape"
        )
