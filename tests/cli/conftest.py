"""The command in this process, and one run that it has made."""

import contextlib
import io
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import tuner
from tuner.cli.commands import main


class Output(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


def command(*arguments: str | Path) -> Output:
    """Run `tuner` with arguments; what it raises, it raises here."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["tuner", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as ended:
        return Output(int(ended.code or 0), out.getvalue(), err.getvalue())
    finally:
        sys.argv = before
    raise AssertionError("the command must end by an exit")


@pytest.fixture(scope="session", name="command")
def command_() -> object:
    """The function `command`."""
    return command


@pytest.fixture(scope="session", autouse=True)
def cores():
    """JAX has started: it may no longer be told how many devices there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_NUM_CPU_DEVICES", "2")
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with the file of a small study."""
    folder = tmp_path_factory.mktemp("studies")
    (folder / "little.py").write_text("import small\n\nstudy = small.study()\n")
    return folder


@pytest.fixture(scope="session")
def first(folder, cores):
    """The command that ran the study, which everything below looks at."""
    where = ["--dir", folder / "runs" / "little", "--layout", "2x1x2"]
    return command("run", folder / "little.py", *where)


@pytest.fixture(scope="session")
def finished(folder, first):
    """That run."""
    return tuner.open_run(folder / "runs" / "little")
