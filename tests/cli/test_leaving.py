"""The command's answer to signals, from its first line to its last, and its codes."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tuner.rounds.exits import Exit

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

ASKED = """
import atexit, os, signal, sys, time
from tuner.cli.leaving import leave_on_signals

def ask():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)

"""


def ended(program, *arguments):
    """How a process ends that runs a program with arguments, and what it says."""
    command = [sys.executable, "-c", ASKED + program, *arguments]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    return process.returncode, process.stderr


@pytest.mark.parametrize("arguments", [("run", "a b.py"), ("--debug", "steps", "x.py")])
def test_what_goes_on_later_says_how(arguments):
    code, said = ended("leave_on_signals(); ask()", *arguments)
    assert code == Exit.INTERRUPTED
    typed = " ".join(arguments).replace("a b.py", "'a b.py'")
    assert said == f"interrupted; go on by\n\n  tuner {typed}\n"


@pytest.mark.parametrize("arguments", [(), ("status", "runs/x"), ("try", "x.py")])
def test_what_cannot_go_on_leaves_without_a_word(arguments):
    program = "leave_on_signals(); ask()"
    assert ended(program, *arguments) == (Exit.LEFT, "")


def test_nobody_has_to_hear_the_words():
    program = "os.close(2); leave_on_signals(); ask()"
    assert ended(program, "run") == (Exit.INTERRUPTED, "")


def test_a_terminal_gets_its_cursor_back():
    terminal, inside = pty.openpty()
    program = "import os; os.dup2(int(sys.argv[2]), 2); leave_on_signals(); ask()"
    command = [sys.executable, "-c", ASKED + program, "try", str(inside)]
    left = subprocess.run(command, check=False, pass_fds=[inside])
    assert left.returncode == Exit.LEFT
    assert os.read(terminal, 100) == b"\r\n\x1b[?25h"
    os.close(terminal)
    os.close(inside)


@pytest.mark.parametrize("code", [Exit.DONE, Exit.REFUSED])
def test_once_the_command_has_ended_its_code_stays(code):
    program = f"leave_on_signals().ended({code}); ask(); sys.exit({code})"
    assert ended(program, "run") == (code, "")


def test_in_the_interpreter_s_own_exit_signals_are_ignored():
    """What is registered first is called last, just before the system has them back."""
    last = "sys.stderr.write(signal.getsignal(signal.SIGTERM).name)"
    program = f"atexit.register(lambda: {last}); leave_on_signals().ended(0)"
    assert ended(program, "run") == (Exit.DONE, "SIG_IGN")


SLOW = """
from pathlib import Path
Path("reached").touch()
Path("gate").open().close()
"""


@pytest.mark.slow
def test_while_a_study_is_loaded_the_command_leaves_at_once(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    os.mkfifo(tmp_path / "gate")  # who opens it waits until somebody writes
    arguments = [sys.executable, "-m", "tuner", "run", "slow.py"]
    process = subprocess.Popen(arguments, cwd=tmp_path, stderr=-1, text=True)
    while not (tmp_path / "reached").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == Exit.INTERRUPTED
    assert said.endswith("interrupted; go on by\n\n  tuner run slow.py\n")
    assert not (tmp_path / "runs").exists()


def test_the_page_lists_every_exit_code():
    _, table = PAGE.read_text().split("| exit code | |\n")
    listed = re.findall(r"^\| (\d+) \|", table.partition("\n\n")[0], re.MULTILINE)
    assert listed == [str(int(code)) for code in Exit]
