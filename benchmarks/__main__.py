"""Measure, keep, and write the table: `python -m benchmarks`.

Options:
    --only mlp,cnn    these measurements alone; the others' figures stay as they are
    --repeats 5       turns of each contender
    --quick           toy sizes, in one process; prints a table and keeps nothing
    --output FOLDER   keep the files there, and leave the README alone
"""

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

from benchmarks import results
from benchmarks.measurements import MEASUREMENTS
from benchmarks.table import table, write_table


def main(arguments: list[str] | None = None) -> None:
    """Run the measurements that are asked for, one after another."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    scale = results.Scale(repeats=options.repeats, quick=options.quick)
    command = shlex.join(["python", "-m", "benchmarks", *given])
    with tempfile.TemporaryDirectory() as nowhere:
        folder = options.output or (Path(nowhere) if scale.quick else results.FOLDER)
        measured = []
        for name in options.only:
            print(f"{name} ...", flush=True)
            try:
                findings = MEASUREMENTS[name](scale)
            except results.Unavailable as error:
                print(f"{name}: left out: {error}")
                continue
            results.write(folder, name, findings, command)
            measured.append(name)
        print(table(folder, measured))
    if folder == results.FOLDER:
        write_table(folder, list(MEASUREMENTS))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--only", type=_names, default=list(MEASUREMENTS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path)
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(MEASUREMENTS):
        raise argparse.ArgumentTypeError(
            f"{min(unknown)!r} is none of {', '.join(MEASUREMENTS)}"
        )
    return names


if __name__ == "__main__":
    main()
