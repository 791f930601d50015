"""What happened to a run between its starts that its results depend on.

The definition keeps an entry for each time: a changed function that was accepted, a
copy that goes on with other code, other versions or another machine. An entry says
which trials had ended by then, and where the others stood.
"""

import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tuner.store.ledger import ENDED
from tuner.store.reader import read_ledger

CHANGES = "changes"  # in the definition
ACCEPTED, FORKED, ELSEWHERE = "accepted", "forked", "elsewhere"


def entry(kind: str, directory: Path, **more: Any) -> dict[str, Any]:
    """An entry about now.

    Args:
        kind: one of the above.
        directory: whose trials it is about.
        **more: what changed.
    """
    ledger = read_ledger(directory)
    rows = ledger.trials
    return {
        "kind": kind,
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        **more,
        "commit": ledger.number,
        "ended": ranges(row.trial for row in rows if row.status in ENDED),
        "steps": {
            str(row.trial): row.step
            for row in rows
            if row.status not in ENDED and row.step
        },
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What decides bits and is another: by name, what it was and what it is.

    Args:
        before: the directory's definition.
        now: that of the study which is to go on in it.
    """
    pairs = {name: (_facts(before).get(name), new) for name, new in _facts(now).items()}
    return {name: list(pair) for name, pair in pairs.items() if pair[0] != pair[1]}


def _facts(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Libraries, device and instruction set."""
    device = definition["device"]
    return {
        **definition["versions"],
        "device": f"{device['platform']} {device['kind']}",
        "instruction set": definition["instruction_set"],
    }


def ranges(numbers: Iterable[int]) -> str:
    """Whole numbers as text: "0-3, 7"."""
    ordered = enumerate(sorted(numbers))
    runs = [
        [number for _, number in run]
        for _, run in itertools.groupby(ordered, lambda pair: pair[1] - pair[0])
    ]
    texts = [f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs]
    return ", ".join(texts)
