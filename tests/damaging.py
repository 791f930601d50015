"""Damages a run directory at random, by a seed, and asks all that reads it.

Whatever was done to which file: an answer is the one from before, or an error of ours
that names a damaged file.
"""

import os
import random
import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np

import tuner
from tuner.cli.damage import told
from tuner.cli.texts import standing
from tuner.store.audit import HEADS, VERDICT
from tuner.store.durable import DamagedError
from tuner.store.writer import Writer

KEPT = Path(__file__).parent / "kept" / "format_4"
LEDGER, JOURNAL = "trials.sqlite", "trials.sqlite-journal"


# Ways to damage a file: each takes the run, a file's path in it, and chance


def flip(run, path, chance):
    data = bytearray((run / path).read_bytes())
    for _ in range(chance.choice([1, 1, 1, 2, 8])):
        place = chance.randrange(8 * len(data))
        data[place // 8] ^= 1 << place % 8
    (run / path).write_bytes(data)


def truncate(run, path, chance):
    os.truncate(run / path, chance.randrange((run / path).stat().st_size))


def empty(run, path, chance):
    os.truncate(run / path, 0)


def remove(run, path, chance):
    (run / path).unlink()


def blank(run, path, chance):
    """A block of zeros, as a drive returns for a sector that it has lost."""
    data = bytearray((run / path).read_bytes())
    first = chance.randrange(len(data))
    data[first : first + 512] = bytes(len(data[first : first + 512]))
    (run / path).write_bytes(data)


def append_itself(run, path, chance):
    (run / path).write_bytes(2 * (run / path).read_bytes())


def double(run, path, chance):
    """Once more under another name, beside it."""
    name = f"{chance.randrange(10)}{Path(path).name}"
    shutil.copy(run / path, (run / path).with_name(name))


def swap(run, path, chance):
    """With another, mostly one of its kind."""
    files = _files(run)
    alike = [f for f in files if Path(f).suffix == Path(path).suffix and f != path]
    other = chance.choice(alike if alike and chance.random() < 0.8 else files)
    one, two = (run / path).read_bytes(), (run / other).read_bytes()
    (run / path).write_bytes(two)
    (run / other).write_bytes(one)


def lead_away(run, path, chance):
    """A link to the same bytes, elsewhere."""
    elsewhere = run.parent / f"{run.name}-elsewhere-{chance.randrange(10**9)}"
    shutil.move(run / path, elsewhere)
    (run / path).symlink_to(elsewhere)


def make_a_folder(run, path, chance):
    (run / path).unlink()
    (run / path).mkdir()


WAYS = (
    *(flip, flip, flip, truncate, truncate, empty, remove, remove, blank),
    *(append_itself, double, swap, swap, lead_away, make_a_folder),
)


def damage(seed, run, *, source=KEPT):
    """Copies a run and damages one to three of its files.

    Returns:
        what was done, and all that differs from the source, by path.
    """
    chance = random.Random(seed)
    shutil.copytree(source, run)
    (run / "lock").write_text('{"host": "elsewhere", "pid": 1, "start": "today"}')
    (run / "report.html").write_text("<html></html>")
    journal = chance.choice([None, None, None, "of a transaction", "anything"])
    if journal == "of a transaction":
        _interrupt(run)
    elif journal == "anything":
        bytes_ = chance.choice([chance.randbytes(3000), (run / LEDGER).read_bytes()])
        (run / JOURNAL).write_bytes(bytes_)
    done = [f"journal {journal}"] if journal else []
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        path = _choose(run, chance)
        way = chance.choice(WAYS)
        if path == LEDGER and chance.random() < 0.5:
            way = flip  # which SQLite hardly notices
        if (run / path).stat().st_size or way in (remove, double):
            done.append(f"{way.__name__} {path}")
            way(run, path, chance)
    return done, _changed(source, run)


def _choose(run, chance):
    """Every kind of file as often as every other, the ledger more often."""
    kinds = {}
    for path in _files(run):
        folder, _, name = path.rpartition("/")
        kind = folder or name
        kinds.setdefault(kind, []).append(path)
    likely = [LEDGER, LEDGER] if LEDGER in kinds else []  # most of it is empty pages
    return chance.choice(kinds[chance.choice([*sorted(kinds), *likely])])


def _files(run):
    """All that are there to be damaged, in an order that is always the same."""
    paths = (p for p in run.rglob("*") if p.is_file() and not p.is_symlink())
    return sorted(path.relative_to(run).as_posix() for path in paths)


def _interrupt(run):
    """The ledger in mid-transaction, its journal beside it: as after a kill."""
    work = run / "tmp"
    work.mkdir()
    shutil.copy(run / LEDGER, work)
    with closing(sqlite3.connect(work / LEDGER)) as writer:
        writer.execute("pragma cache_size = 1")  # spills to the file at once
        writer.execute("update trials set note = hex(zeroblob(999)), step = 1")
        writer.execute("update files set sha256 = hex(zeroblob(999))")
        for path in work.iterdir():
            shutil.copy(path, run)
    shutil.rmtree(work)


def _changed(source, run):
    before = {path: (source / path).read_bytes() for path in _files(source)}
    now = {path: (run / path).read_bytes() for path in _files(run)}
    changed = {path for path in {*before, *now} if before.get(path) != now.get(path)}
    return changed | ({JOURNAL} if os.path.lexists(run / JOURNAL) else set())


# All that reads a run, and what it says


def readers(run, chance=None):
    """What can be asked, by name; of the many states only some."""
    opened = tuner.Run(run)
    states = [(t, what) for t in range(8) for what in ("best", "last", "branch")]
    if chance:
        states = chance.sample(states, 1)
    return {
        "open_run": lambda: str(tuner.open_run(run) and ""),
        "definition": lambda: opened.definition,
        "layout": lambda: opened.layout,
        "figures": lambda: opened.figures,
        "trials": lambda: opened.trials.rows(),
        "train": lambda: opened.metrics("train").rows(),
        "valid": lambda: opened.metrics("valid", lineage=True).rows(),
        "best": lambda: opened.best,
        "findings": lambda: [str(found) for found in opened.findings()],
        "steps_to_fit": lambda: opened.steps_to_fit,
        "status": lambda: re.sub(", last commit.*", "", standing(opened)),
        "report": lambda: _page(opened),
        **{f"restore {s}": lambda s=s: _state(opened, *s) for s in states},
    }


def truth(source=KEPT):
    """What a sound run says: {question: answer}."""
    return {name: _asked(read)[0] for name, read in readers(source).items()}


def without_verdict(right):
    """The same where `tuner steps` was never asked: nothing says that it was."""
    found = [line for line in right["findings"] if "id='D6'" not in line]
    return {**right, "steps_to_fit": None, "findings": found}


def _page(run):
    """The page, of which nothing but its drawing could differ."""
    with tempfile.TemporaryDirectory() as folder:
        page = tuner.write_report(run, Path(folder) / "page.html")
        return "<html" in page.read_text()


def _state(run, trial, what):
    tree = run.restore(trial, what)
    leaves = []

    def walk(path, value):
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(f"{path}.{name}", inner)
        else:
            leaves.append((path, str(value.dtype), np.asarray(value).tobytes()))

    walk("", tree)
    return sorted(leaves)


def _asked(read):
    """The answer, or the error where a question has none."""
    try:
        return read(), None
    except DamagedError as error:
        return None, error
    except LookupError as error:  # a state that is not kept
        return str(error), None


# How often a question is asked that takes long, of a tenth of a second or less
SHARES = {"valid": 0.5, "best": 0.3, "findings": 0.1, "status": 0.2, "report": 0.03}


def complaints(run, changed, right, chance, *, ask_all=False):
    """What is wrong with how a damaged run is read; nothing, if all is well."""
    named = changed | ({LEDGER} if JOURNAL in changed else set())
    if not (run / VERDICT).exists():
        right = without_verdict(right)
        changed = changed - {VERDICT}
    for name, read in readers(run, chance).items():
        if not ask_all and chance.random() > SHARES.get(name, 1):
            continue
        try:
            answer, error = _asked(read)
        except BaseException as error:  # whatever a library may raise
            yield f"{name} raised {type(error).__name__}: {error}"
            continue
        if error is not None:
            path = error.path.relative_to(run).as_posix()
            if path not in named:
                yield f"{name} blames {path}, which is as it was: {error}"
        elif answer != right[name]:
            yield f"{name} is wrong: {answer} in place of {right[name]}"
    yield from _audited_wrongly(run, changed)


def _audited_wrongly(run, changed):
    audit = tuner.check_files(run)
    told(audit)
    blamed = {damage.path for damage in audit.damaged}
    if LEDGER in blamed and changed.isdisjoint({LEDGER, JOURNAL}):
        yield "check_files blames the ledger, which is as it was"
    if audit.ledger is None:
        return
    checked = {*audit.ledger.files, HEADS[0], HEADS[2]}
    if blamed != changed & checked:
        yield f"check_files blames {blamed}, but changed were {changed & checked}"


def losses(run, changed):
    """What is gone once a writer has opened a damaged run; nothing, if all is well."""
    before = {path: (run / path).read_bytes() for path in _files(run)}
    try:
        Writer(run).close()
    except DamagedError:
        pass
    except BaseException as error:
        if isinstance(error, OSError) and f"`{run / 'lock'}` must be" in str(error):
            return
        yield f"the writer raised {type(error).__name__}: {error}"
    named = {p.relative_to(KEPT).as_posix() for p in KEPT.rglob("*") if p.is_file()}
    for path in sorted(named - changed - {LEDGER}):
        if not (run / path).is_file() or (run / path).read_bytes() != before[path]:
            yield f"the writer has removed or changed {path}"
