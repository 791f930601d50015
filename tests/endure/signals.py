"""Asked to stop at random moments, a run leaves in time, whole, and goes on.

    scripts/endure signals --moments 50 --seed 1

SIGINT or SIGTERM at so many moments: half of them anywhere from the first line of the
process to its last, half from when it writes the run; after every third a second one.
They fall on imports, the study's file, compilation, measuring, training, promotion and
the report, of the command and of a script. Whoever was asked once must leave with 75,
or 0 where it was complete; asked twice, with 130 too. What dies in another way, hangs,
or dumps core fails the trial. A process that does not listen, since Python has not come
to our first line, or a script is not in `tuner.run`, dies as the system has it: those
are counted apart. So may a script that is asked twice, or abort, for it has its own
handlers back once `tuner.run` has returned. A run that completes is compared with one
that was never interrupted, bit for bit, and the next begins.
"""

import collections
import itertools
import signal
import tempfile
import time
from pathlib import Path

from equal_runs import assert_equal

import tuner
from endure import starts
from endure.kills import check_readable
from endure.starts import Kind

KINDS = [
    Kind(),
    Kind(cached=False),
    Kind(wish="measured", cached=False),
    Kind(script=True),
    Kind(script=True, cached=False),
    Kind(wish="1", best_state="snapshot"),
]
SIGNALS = (signal.SIGINT, signal.SIGTERM)
MOST = 12  # moments of one run
PLACES = {  # by what was said last
    ", compiling ": "compiling",
    "  training ": "training",
    " ended: ": "after a round",
}
BETWEEN_SECONDS = 0.3  # two signals, at most


def endure(moments, chance, folder):
    """Ask at so many moments; places and exit codes, and the seconds until each exit.

    Raises:
        AssertionError: where a process leaves otherwise, or a run differs.
    """
    reference, seconds = starts.uninterrupted(folder)
    asked, lasted = collections.Counter(), []
    for number, kind in enumerate(itertools.cycle(KINDS), 1):
        directory, code = folder / f"run-{number}", None
        most = min(moments, len(lasted) + MOST)
        while len(lasted) < most and code != 0:
            process = kind.start(directory)
            starts.let_live(process, directory, seconds, chance)
            if process.poll() is not None:
                code, _ = starts.ended(process)
                assert code == 0
                break
            twice = len(lasted) % 3 == 2
            heard, began = listens(process), time.monotonic()
            ask(process, chance, twice=twice)
            code, out = starts.ended(process)
            allowed = {0, 75} | (second(kind) if twice else set())
            assert code in allowed or not heard, f"exit code {code} ({kind})\n{out}"
            asked[f"{place(out)} {code if heard else 'unheard'}"] += 1
            lasted.append(time.monotonic() - began)
            check_readable(directory, reference)
        if code != 0:
            code, out = starts.ended(kind.start(directory))
            assert code == 0, f"exit code {code}\n{out}"
        assert_equal(tuner.open_run(directory), reference)
        print(f"run {number} ({kind}): complete and equal; {dict(asked)}", flush=True)
        if len(lasted) >= moments:
            return asked, lasted
    raise AssertionError("a cycle has no end")


def ask(process, chance, *, twice):
    """Send one signal, or two."""
    process.send_signal(chance.choice(SIGNALS))
    if twice:
        time.sleep(chance.uniform(0, BETWEEN_SECONDS))
        process.send_signal(chance.choice(SIGNALS))


def second(kind):
    """How a process may end besides that was asked twice.

    A script has left `tuner.run` by then, or not. If it has, Python may be waiting for
    a compilation at its exit, and aborts where SIGINT ends that wait.
    """
    own = {-signal.SIGINT, -signal.SIGTERM, -signal.SIGABRT}
    return {130} | (own if kind.script else set())


def place(out):
    """How far a process had come, by what it has printed."""
    said = [
        name for line in out.splitlines() for t, name in PLACES.items() if t in line
    ]
    return said[-1] if said else "beginning"


def listens(process):
    """Whether a process has a handler for SIGTERM, or ignores it."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    masks = dict(line.split(":") for line in text.splitlines())
    mask = int(masks["SigCgt"], 16) | int(masks["SigIgn"], 16)
    return bool(mask >> (signal.SIGTERM - 1) & 1)


def main():
    """Parse, endure, print."""
    moments, chance = starts.asked(__doc__, moments=50)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        asked, lasted = endure(moments, chance, Path(folder))
    lasted.sort()
    print(
        f"{moments} moments, exit codes {dict(asked)}, all runs equal to the "
        f"uninterrupted one; left after {lasted[len(lasted) // 2]:.2f} s in the "
        f"median, {lasted[-1]:.2f} s at most; {time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
