"""From the command line to a study: the file, the name in it, and what is changed."""

import sys
import traceback

import jax
import pytest
import small

import tuner
from tuner.cli.studies import (
    BrokenStudyError,
    changed,
    load_study,
    num_cores,
    use_all_cores,
)

ONE = "import small\n\nstudy = small.study()\n"
TWO = ONE + "other = small.study(name='other')\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a study's file; what its import leaves behind is forgotten."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})

    def write(text, name="written.py"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


# The file


def test_the_only_study_needs_no_name(write):
    assert load_study(str(write(ONE))).name == "small"


def test_a_study_with_two_names_is_one(write):
    assert load_study(str(write(ONE + "again = study\n"))).name == "small"


def test_of_several_studies_one_is_named(write):
    assert load_study(f"{write(TWO)}:other").name == "other"


def test_a_study_imports_what_lies_beside_it(write):
    write("WHO = 'me'\n", "beside.py")
    path = write("import beside\n" + ONE.replace("study()", "study(name=beside.WHO)"))
    assert load_study(str(path)).name == "me"


def test_several_studies_and_no_name_are_refused(write):
    path = write(TWO)
    with pytest.raises(LookupError) as refused:
        load_study(str(path))
    assert str(refused.value) == (
        f"{path} defines 2 studies, so one must be named: {path}:study, {path}:other"
    )


def test_a_file_without_a_study_is_refused_with_what_there_is(write):
    with pytest.raises(LookupError, match=r"defines none; there are: math, tau$"):
        load_study(str(write("import math\n\ntau = math.tau\n_hidden = 0\n")))


def test_an_unknown_name_is_refused_with_the_nearest(write):
    with pytest.raises(LookupError, match=r"did you mean 'other'\? Known: 'other', "):
        load_study(f"{write(TWO)}:othr")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*/none\.py'$"):
        load_study(str(tmp_path / "none.py"))


def test_the_error_of_a_file_begins_in_the_file(write):
    path = write("def half(x):\n    return 1 / x\n\n\nhalf(0)\n")
    with pytest.raises(BrokenStudyError) as broken:
        load_study(str(path))
    cause = broken.value.__cause__
    assert isinstance(cause, ZeroDivisionError)
    frames = traceback.extract_tb(cause.__traceback__)
    assert [(frame.filename, frame.lineno) for frame in frames] == [
        (str(path), 5),
        (str(path), 2),
    ]


# What is changed


def test_without_options_nothing_is_changed():
    study = small.study()
    assert changed(study) == study


def test_only_the_first_rounds_are_kept():
    assert changed(small.study(), rounds=1).rounds == small.study().rounds[:1]


@pytest.mark.parametrize("rounds", [0, 3])
def test_rounds_that_are_not_there_are_refused(rounds):
    with pytest.raises(ValueError, match=rf"must hold, but got \(rounds={rounds}\)"):
        changed(small.study(), rounds=rounds)


def test_the_seed_is_replaced():
    assert changed(small.study(), seed=11).seed == 11


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("activation=relu", "activation", "relu"),
        ("activation='relu'", "activation", "relu"),
        ("learning_rate=1e-2", "learning_rate", 0.01),
        ("warmup_steps=3", "warmup_steps", 3),
    ],
)
def test_a_hyperparameter_is_fixed(text, name, value):
    space = changed(small.study(), values=[text]).space
    assert space.fixed == {name: value}
    assert name not in space.domains


def test_a_fixed_value_becomes_another():
    study = small.study(space=small.space(momentum=0.9))
    assert changed(study, values=["momentum=1"]).space.fixed == {"momentum": 1.0}


def test_a_choice_that_opens_a_space_keeps_it():
    spaces = {"adam": tuner.Space(b1=tuner.Float(0.5, 0.9)), "sgd": tuner.Space()}
    method = tuner.Choice(spaces, role="scientific")
    study = small.study(space=small.space(method=method))
    space = changed(study, values=["method=adam"]).space
    assert "method.adam.b1" in space.domains
    assert {c["method"] for c in space.combinations()} == {"adam"}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("seed", ValueError, "--set takes NAME=VALUE, but got 'seed'"),
        ("lerning_rate=1", ValueError, "did you mean 'learning_rate'"),
        ("learning_rate=1", ValueError, "<= learning_rate <= 0.1` must hold"),
        ("learning_rate=high", TypeError, "`learning_rate` must be a number"),
        ("activation=gelu", ValueError, "must be one of 'relu', 'tanh'"),
    ],
)
def test_a_value_that_cannot_be_is_refused(text, error, message):
    with pytest.raises(error, match=message):
        changed(small.study(), values=[text])


# Devices


@pytest.fixture
def updates(monkeypatch):
    """What JAX is told, instead of telling it."""
    told = {}
    monkeypatch.setattr(jax.config, "update", told.__setitem__)
    return told


def test_every_core_is_a_device(updates, monkeypatch):
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES")
    use_all_cores()
    assert updates == {"jax_num_cpu_devices": num_cores()}


def test_what_the_environment_says_of_devices_stays(updates):
    use_all_cores()
    assert updates == {}
