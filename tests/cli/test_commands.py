"""The command, from its arguments to what it prints."""

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys

import polars as pl
import pytest

import tuner
from tuner.lanes.compilations import compilations

# run


def test_a_run_ends_with_its_best_trials_its_cost_and_its_report(first, finished):
    best = finished.best
    assert first.code == 0
    assert "The best of 16 trials" in first.out
    assert re.search(rf"^ *1 +{best['trial']} +{best['round']} ", first.out, re.M)
    assert re.search(r"^(\w+|\d) of the 4 promoted trials did worse", first.out, re.M)
    assert re.search(
        r"^done +16 trials, 440 steps and 40 shared, 14,080 examples", first.out, re.M
    )
    assert re.search(r"^compiled +2 programs in .*; 10 compilations", first.out, re.M)
    page = finished.directory / "report.html"
    assert first.out.endswith(f"report: {page}\n")
    assert page.exists()


def test_its_progress_is_no_part_of_the_standard_output(first):
    assert "round 1 of 2, compiling activation=relu (6 trials" in first.err
    assert "round 2 of 2 ended: 4 complete" in first.err
    assert "compiling" not in first.out


def test_a_complete_run_says_so_and_prints_the_same(command, folder, first, finished):
    compiled = compilations()
    again = command("run", folder / "little.py", "--dir", finished.directory)
    start = f"small was complete already, in {finished.directory}.\n"
    assert again.out.startswith(start)
    assert (
        again.out.removeprefix(start).split("\n\n")[:2] == first.out.split("\n\n")[:2]
    )
    assert compilations() == compiled


def test_a_dry_run_prints_what_would_run_and_compiles_nothing(
    command, folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    compiled = compilations()
    printed = command("run", folder / "little.py", "--dry-run")
    assert "round 1  12 trials = 6 relu + 6 tanh, 20 steps each" in printed.out
    assert compilations() == compiled
    assert not list(tmp_path.iterdir())


def test_options_change_the_study(command, folder):
    options = ["--set", "activation=relu", "--rounds", "1", "--layout", "1x3x4"]
    printed = command("run", folder / "little.py", "--dry-run", *options)
    assert "round 1  12 trials, 20 steps each" in printed.out
    assert "round 2" not in printed.out
    assert "all  12 trials, layout 1x3x4, 1,200 parameters" in printed.out


def test_another_seed_is_another_study(command, folder, finished):
    options = ["--seed", "4", "--dir", finished.directory]
    refused = command("run", folder / "little.py", *options)
    assert refused.code == 2
    assert "belongs to another study; it differs in seed (3, now 4)" in refused.err


LOUDER = """
import small

def loss(*arguments):
    value, metrics = small.loss(*arguments)
    return 2 * value, metrics

study = small.study(task=small.task(loss=loss))
"""


def test_changed_code_is_refused_with_the_options_that_go_on(
    command, folder, finished, tmp_path
):
    (tmp_path / "louder.py").write_text(LOUDER)
    run = ["run", tmp_path / "louder.py", "--dir", finished.directory]
    refused = command(*run)
    assert refused.code == 2
    assert "but loss has changed since" in refused.err
    for option in ("--restart", "--fork DIR", "--accept-change"):
        assert option in refused.err
    copy = tmp_path / "copy"
    forked = command(*run, "--fork", copy)
    assert forked.code == 0
    assert f"goes on in {copy}, a copy of {finished.directory}" in forked.err
    assert forked.out.endswith(f"report: {copy / 'report.html'}\n")
    assert "changes" not in finished.definition
    again = command(*run, "--fork", copy)
    assert again.out.startswith(f"small was complete already, in {copy}.\n")
    both = command(*run, "--restart", "--accept-change")
    assert both.code == 2
    assert "at most one of restart, fork and accept_change" in both.err


@pytest.fixture
def spent(command, folder, tmp_path):
    """A command with a budget that is used up in its first round, and its run."""
    options = ["--set", "activation=relu", "--rounds", "1", "--layout", "2x1x4"]
    arguments = ["run", folder / "little.py", "--dir", tmp_path / "run", *options]
    arguments += ["--budget", "60steps"]
    return arguments, command(*arguments), tuner.open_run(tmp_path / "run")


def test_a_used_up_budget_says_how_far_it_got_and_how_to_go_on(command, spent):
    arguments, paused, run = spent
    steps = run.figures["trial_steps"]
    assert paused.code == 75
    start = "the budget of 60steps is used up\n\n"
    start += f"done      12 trials, {steps} steps, {32 * steps:,} examples, in "
    assert paused.out.startswith(start)
    assert re.search(r"^round 1  12 trials: .*\d+ waiting", paused.out, re.M)
    larger = shlex.join(["tuner", *map(str, arguments[:-1]), "120steps"])
    assert paused.out.endswith(f"go on with a larger one, or none, by\n\n  {larger}\n")
    assert command(*arguments).code == 75
    assert run.figures["trial_steps"] == steps
    assert command(*arguments[:-2]).code == 0
    assert run.trials["status"].to_list() == ["complete"] * 12


def test_a_budget_that_cannot_be_read_is_refused(command, folder):
    refused = command("run", folder / "little.py", "--budget", "2 hours")
    assert refused.code == 2
    assert refused.err.startswith("error: a budget is written 2h, 90m, 45s, 1h30m or ")


STUDY = '''
"""Once it is under way, training waits until somebody opens the gate."""

import itertools
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax
import tuner


class Gated:
    reads = itertools.count()

    def __len__(self):
        return 32

    def __getitem__(self, place):
        if next(self.reads) == 400:  # in the fourth call or so, of 60
            Path("reached").touch()
            Path("gate").open().close()
        return np.ones(8, np.float32)


task = tuner.SupervisedTask(
    init=lambda key, hyperparams: jnp.ones(8),
    loss=lambda key, hyperparams, params, batch: (jnp.mean(batch @ params) ** 2, {}),
    evaluate=lambda key, hyperparams, params, batch: {"loss": jnp.mean(params)},
    optimizer=lambda hyperparams, learning_rate: optax.sgd(learning_rate),
    train=tuner.Source(Gated()), valid=tuner.Arrays(np.ones((1, 8))), batch_size=1,
)
study = tuner.Study(
    name="gated",
    space=tuner.Space(learning_rate=tuner.Float(1e-4, 1e-3)),
    task=task,
    schedule=lambda hyperparams, steps: tuner.warmup_constant_decay(
        hyperparams.learning_rate, steps, decay_steps=10
    ),
    objective="valid/loss",
    rounds=[tuner.Round(trials=4, max_train_steps=1500)],
    eval_every=25,
)
'''


@pytest.mark.slow
def test_interrupted_it_stops_and_the_same_command_completes_it(tmp_path):
    (tmp_path / "gated.py").write_text(STUDY)
    gate = tmp_path / "gate"
    os.mkfifo(gate)  # who opens it for reading waits until somebody has it for writing
    arguments = [sys.executable, "-m", "tuner", "run", "gated.py", "--layout", "2x1x2"]
    process = subprocess.Popen(arguments, cwd=tmp_path, stdout=-1, stderr=-1, text=True)
    while not (tmp_path / "reached").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    opened = os.open(gate, os.O_RDWR)
    out, err = process.communicate()
    os.close(opened)
    assert process.returncode == 75, err
    assert out.endswith("go on by\n\n  tuner run gated.py --layout 2x1x2\n")
    run = tuner.open_run(tmp_path / "runs" / "gated")
    assert run.status == "interrupted"
    gate.unlink()
    gate.touch()
    again = subprocess.run(arguments, cwd=tmp_path, capture_output=True, check=False)
    assert again.returncode == 0, again.stderr
    assert run.status == "complete"
    assert run.trials["step"].to_list() == [1500] * 4
    assert run.figures["sessions"] == 2


# try


def test_one_trial_is_tried_alone(command, folder):
    printed = command("try", folder / "little.py", "--trial", "3", "--steps", "7")
    title, header, *rows = printed.out.splitlines()
    assert title.startswith("trial 3 (activation='tanh', learning_rate=0.0")
    assert header.split() == ["step", "train/loss", "valid/error", "valid/loss"]
    assert [row.split()[0] for row in rows] == ["5", "7"]


# What reads a run


def test_status_tells_where_a_run_stands(command, finished):
    printed = command("status", finished.directory)
    assert re.search(r"^status   complete, last commit \d{4}-", printed.out, re.M)
    assert "round 1  12 trials: 12 complete\n" in printed.out
    assert "round 2  4 trials: 4 complete\n" in printed.out


def test_trials_are_a_table(command, finished):
    header, _, *rows = command("trials", finished.directory).out.splitlines()[-18:]
    assert header.split()[:5] == ["trial", "round", "parent", "status", "step"]
    assert [row.split()[0] for row in rows] == [str(n) for n in range(16)]


def test_trials_as_json_have_all_columns(command, finished):
    rows = json.loads(command("trials", finished.directory, "--json").out)
    assert rows == json.loads(finished.trials.write_json())
    assert {"trial", "hp.learning_rate", "schedule.peak"} <= set(rows[0])


def test_trials_as_csv_are_read_back(command, finished):
    text = command("trials", finished.directory, "--csv").out
    read = pl.read_csv(io.StringIO(text))
    assert read.columns == finished.trials.columns
    assert read["trial"].equals(finished.trials["trial"].cast(pl.Int64))


def test_best_prints_the_winner(command, finished):
    printed = command("best", finished.directory)
    assert printed.out.startswith(f"small: trial {finished.best['trial']} of round")


def test_best_prints_optax_code_alone(command, finished):
    printed = command("best", finished.directory, "--optax")
    assert printed.out.startswith("import optax\n")


def test_list_shows_the_runs_of_a_folder(command, finished):
    printed = command("list", finished.directory.parent)
    row = printed.out.splitlines()[-1].split()
    assert row[:4] == [str(finished.directory), "small", "16", "complete"]


def test_an_empty_folder_has_no_runs(command, tmp_path):
    assert command("list", tmp_path).out == f"There are no runs in {tmp_path}.\n"


def test_report_writes_the_page_and_prints_its_path(command, finished):
    page = finished.directory / "report.html"
    page.unlink()
    assert command("report", finished.directory).out == f"{page}\n"
    assert page.exists()


def test_version_is_that_of_the_package(command):
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", command("--version").out)


def test_without_a_command_there_is_help(command):
    assert "Usage: tuner" in command().out


READ = """
import contextlib, sys
from tuner.cli import main

directory = sys.argv[1]
for arguments in [
    ["--help"], ["status", directory], ["trials", directory], ["best", directory],
    ["best", directory, "--optax"], ["list", directory], ["report", directory],
]:
    sys.argv = ["tuner", *arguments]
    with contextlib.suppress(SystemExit):
        main()
print("LOADED", *sys.modules)
"""


def test_what_reads_a_run_imports_no_jax(finished):
    python = [sys.executable, "-c", READ, str(finished.directory)]
    printed = subprocess.run(python, capture_output=True, text=True, check=True).stdout
    loaded = printed.rpartition("LOADED ")[2].split()
    assert {"tuner.cli.tables", "tuner.cli.winner", "tuner.report.page"} <= set(loaded)
    assert {"jax", "jaxlib", "flax", "optax"}.isdisjoint(loaded)


# Errors


def test_a_refusal_is_one_line(command, tmp_path):
    refused = command("status", tmp_path)
    assert refused.code == 2
    assert refused.err == (
        f"error: {tmp_path} holds no run (there is no study.json): pass the directory "
        "given to `tuner run --dir`\n"
    )


def test_debug_shows_where_an_error_comes_from(command, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no run"):
        command("status", tmp_path, "--debug")


def test_an_error_of_the_study_s_functions_keeps_its_traceback(command, tmp_path):
    (tmp_path / "wrong.py").write_text(
        "import small\n\n\n"
        "def loss(key, hyperparams, params, batch):\n"
        "    raise ValueError('my own')\n\n\n"
        "study = small.study(task=small.task(loss=loss))\n"
    )
    with pytest.raises(ValueError, match="my own"):
        command("run", tmp_path / "wrong.py", "--dir", tmp_path / "run")


def test_a_study_that_raises_shows_its_own_lines_alone(command, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("import tuner\n\ndomain = tuner.Float(3, 1)\n")
    failed = command("run", path)
    assert failed.code == 1
    start = f'Traceback (most recent call last):\n  File "{path}", line 3, in <module>'
    assert failed.err.startswith(start)
    assert "`low < high` must hold, but got (low=3.0, high=1.0)" in failed.err
