"""What an audit of a run's files found, in words: lost, not lost, and what to type."""

import shlex
from collections.abc import Iterator, Sequence
from textwrap import shorten

from tuner.rounds.wording import count
from tuner.store.audit import DEFINITION, LEDGER, VERDICT, Audit

LISTED = 12  # unnamed files, or numbers of trials; more are only counted
LONGEST = 100  # characters of what is lost

_HEADS = {
    LEDGER: """\
Beyond repair: without its ledger nothing says which records count, or where trials
stand. Put the file back from a copy of the run, or run the study in another directory.
What can still be read, unverified: the parts in metrics/ as Parquet, by any tool that
reads it, and the states in snapshots/, by NumPy.""",
    DEFINITION: """\
Beyond repair: without its definition nothing says which study this was. Put the file
back from a copy of the run, or run the study in another directory. What else is not
named above can still be read: tuner.Run({directory!r}).trials and .metrics(...).""",
    VERDICT: "`tuner steps` finds its verdict out anew.",
}


def told(audit: Audit) -> str:
    """All of it, in blocks."""
    blocks = [_heading(audit), *_damaged(audit), *_left(audit), *_unnamed(audit)]
    return "\n\n".join(blocks)


def _heading(audit: Audit) -> str:
    sound = count(len(audit.sound), "file")
    are = "is" if len(audit.sound) == 1 else "are"
    if audit.is_sound:
        return f"{audit.directory} is sound: {sound} {are} as written."
    damaged = f"{len(audit.damaged)} {'is' if len(audit.damaged) == 1 else 'are'} not"
    return f"{audit.directory} is damaged: {sound} {are} as written, {damaged}."


def _damaged(audit: Audit) -> Iterator[str]:
    if audit.damaged:
        yield "\n".join(
            f"damaged  {damage.path}: {damage.damage}\n"
            f"   lost  {shorten(damage.lost, LONGEST, placeholder=' ...')}"
            f"{_of(damage.trials) if damage.lost.endswith('`') else ''}"
            for damage in audit.damaged
        )


def _of(trials: Sequence[int]) -> str:
    return f", of trials {_numbers(trials)}" if trials else ""


def _numbers(trials: Sequence[int]) -> str:
    shown = ", ".join(map(str, trials[:LISTED]))
    more = len(trials) - LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _left(audit: Audit) -> Iterator[str]:
    """What is not lost, and what can be done."""
    paths = {damage.path for damage in audit.damaged}
    for path, text in _HEADS.items():
        if path in paths:
            yield text.format(directory=str(audit.directory))
    named = paths.difference(_HEADS)
    if audit.ledger is None or audit.is_beyond_repair or not named:
        return
    ill, everyone = len(audit.trials), len(audit.ledger.trials)
    others = f", and all records of {everyone - ill} of {count(everyone, 'trial')}"
    command = shlex.join(["tuner", "repair", str(audit.directory), "STUDY.py"])
    those = "all" if ill == everyone else "the other"
    again = f"trains {those} {ill} again" if ill else "writes anew what has no rows"
    yield (
        f"Not lost: the definition and the ledger{others if ill < everyone else ''}.\n"
        f"{command} {again}."
    )


def _unnamed(audit: Audit) -> Iterator[str]:
    if not audit.unnamed:
        return
    title = f"{count(len(audit.unnamed), 'file')} that no row of the ledger names"
    writer = " (a process writes this run: they may be its own)"
    shown = [f"  {path}" for path in audit.unnamed[:LISTED]]
    more = len(audit.unnamed) - LISTED
    rest = [f"  and {more} more"] if more > 0 else []
    heading = f"{title}, and nothing reads{writer if audit.is_running else ''}:"
    yield "\n".join([heading, *shown, *rest])
