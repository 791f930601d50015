"""The package as a whole: what it imports, names, documents, pins and installs."""

import pkgutil
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tuner

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
CONSTRAINTS = (ROOT / "constraints.txt").read_text()


def output(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a command prints; it must succeed."""
    run = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


# What importing costs


@pytest.mark.parametrize("name", ["__name__", "analysis", "open_run", "write_report"])
def test_what_reads_a_run_imports_no_jax(name):
    program = f"import sys, tuner; tuner.{name}; print(*sys.modules)"
    loaded = output(sys.executable, "-c", program).split()
    assert "tuner" in loaded
    assert {"jax", "jaxlib", "flax", "optax", "scipy"}.isdisjoint(loaded)


# Public names


def test_there_are_public_names():
    assert {"Study", "run", "analysis"} <= set(tuner.__all__)


@pytest.mark.parametrize("name", tuner.__all__)
def test_a_public_name_resolves(name):
    assert getattr(tuner, name) is not None


@pytest.mark.parametrize("name", tuner.__all__)
def test_a_public_name_is_documented(name):
    mention = re.compile(rf"`(tuner\.)?{name}\b")
    assert any(mention.search(path.read_text()) for path in DOCUMENTS)


def test_no_public_name_hides_a_module():
    modules = {module.name for module in pkgutil.iter_modules(tuner.__path__)}
    assert "runs" in modules
    shared = modules.intersection(tuner.__all__)
    assert all(getattr(tuner, name).__name__ == f"tuner.{name}" for name in shared)


# Pinned versions


def test_constraints_hold_no_address():
    assert not re.search(r"://|@", CONSTRAINTS)


def test_constraints_pin_jax_for_each_python():
    assert "\njax==0.10.2 ; python_full_version < '3.12'\n" in CONSTRAINTS
    assert re.search(r"\njax==\S+ ; python_full_version >= '3.12'\n", CONSTRAINTS)


def test_constraints_pin_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    named = sum(extras, project["dependencies"])
    needed = {re.match(r"[\w-]+", line)[0].replace("_", "-") for line in named}
    assert needed <= set(re.findall(r"^([\w-]+)==", CONSTRAINTS, re.MULTILINE))


# The Python that `make` is given


@pytest.fixture
def refusal():
    return runpy.run_path(str(ROOT / "scripts/require_python.py"))["refusal"]


@pytest.fixture
def environment(tmp_path):
    """An environment that was made by Python 3.11."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho 3 11\n")
    python.chmod(0o755)
    return tmp_path


def test_a_python_may_make_an_environment_or_use_its_own(refusal, environment):
    assert refusal((3, 12), environment / "new") is None
    assert refusal((3, 11), environment) is None


def test_an_old_python_is_refused(refusal, environment):
    assert refusal((3, 10), environment) == (
        "`python >= 3.11` must hold, but got (python=3.10); "
        "name a newer one: make ... PYTHON=python3.12"
    )


def test_an_environment_of_another_python_is_refused(refusal, environment):
    assert refusal((3, 12), environment) == (
        f"`{environment}` must be a working environment of Python 3.12, but got "
        f"(python=3.11); remove it: rm -r {environment}, or name another: "
        "make ... VENV=.venv312"
    )


@pytest.mark.parametrize("program", ["false", "no-such-program"])
def test_a_half_made_environment_is_refused(refusal, environment, program):
    (environment / "bin" / "python").write_text(f"#!/bin/sh\n{program}\n")
    assert "but got (python=broken); remove it" in refusal((3, 11), environment)


# The wheel

STUDY = '''
"""At which rate is the sign of a sum learned?"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tuner

x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
y = (x.sum(axis=1) > 0).astype(np.int32)


def init(key, hyperparams):
    hidden, out = jax.random.split(key)
    return jax.random.normal(hidden, (4, 8)) / 2, jax.random.normal(out, (8, 2)) / 3


def logits(params, x):
    return jnp.tanh(x @ params[0]) @ params[1]


def loss(key, hyperparams, params, batch):
    x, y = batch
    scores = logits(params, x)
    return optax.losses.softmax_cross_entropy_with_integer_labels(scores, y).mean(), {}


def evaluate(key, hyperparams, params, batch):
    x, y = batch
    return {"error": jnp.mean(logits(params, x).argmax(axis=1) != y)}


def optimizer(hyperparams, learning_rate):
    return optax.sgd(learning_rate)


def schedule(hyperparams, max_train_steps):
    return tuner.warmup_constant_decay(
        hyperparams.learning_rate, max_train_steps, decay_fraction=0.5
    )


study = tuner.Study(
    name="signs",
    space=tuner.Space(learning_rate=tuner.Float(1e-3, 1.0, log=True)),
    task=tuner.SupervisedTask(
        init=init, loss=loss, evaluate=evaluate, optimizer=optimizer,
        train=tuner.Arrays(x, y), valid=tuner.Arrays(x, y), batch_size=16,
    ),
    schedule=schedule,
    objective="valid/error",
    rounds=[
        tuner.Round(trials=4, max_train_steps=20),
        tuner.Round(keep=2, max_train_steps=40, extend=tuner.LengthenConstant()),
    ],
    eval_every=10,
)
'''


@pytest.fixture
def bare_python(tmp_path):
    """A fresh environment's Python: the wheel is in it, and no extra is."""
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--quiet"]
    output(sys.executable, "-m", "venv", "--without-pip", environment)
    output(*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    pinned = ["--constraint", ROOT / "constraints.txt"]
    # Most of the modules are never imported here: compiling all takes half of the time.
    output(*pip, "--python", python, "install", "--no-compile", *pinned, wheel)
    return python


@pytest.mark.slow
def test_the_bare_wheel_runs_a_study(bare_python, tmp_path):
    (tmp_path / "signs.py").write_text(STUDY)
    alone = [bare_python, "-I"]  # sees its own packages only, whatever PYTHONPATH says
    output(*alone, "-m", "tuner", "run", "signs.py", "--dir", "run", cwd=tmp_path)
    ask = "import tuner; print(*tuner.open_run('run').trials['status'])"
    statuses = output(*alone, "-c", ask, cwd=tmp_path).split()
    assert statuses == ["complete"] * 6
