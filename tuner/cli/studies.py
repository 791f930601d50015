"""A study from the command line: `STUDY.py` or `STUDY.py:name`, and what it changes."""

import ast
import dataclasses
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import jax

from tuner.lanes.layout import num_cores
from tuner.study.names import unknown
from tuner.study.space import Space, fixed_to
from tuner.study.study import Study


class BrokenStudyError(Exception):
    """The study's file raised `__cause__`, whose traceback begins in that file."""


def use_all_cores() -> None:
    """One CPU device a core, unless the environment says how many.

    JAX takes it before its first use of a device, so before a study's file runs.
    """
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        jax.config.update("jax_num_cpu_devices", num_cores())


def load_study(reference: str) -> Study:
    """The study of a file.

    Args:
        reference: the file's path, followed by `:name` where it has several studies.

    Raises:
        FileNotFoundError: where there is no such file.
        LookupError: where it has no such study, or several and no name is given.
        BrokenStudyError: where the file itself raises.
    """
    path, name = _split(reference)
    if not path.is_file():
        raise FileNotFoundError(
            f"a study is a Python file, but there is no file {str(path)!r}"
        )
    defined = vars(_execute(path))
    studies = {n: value for n, value in defined.items() if isinstance(value, Study)}
    if name:
        if name not in studies:
            raise LookupError(unknown("study", name, studies))
        return studies[name]
    different = {id(study): n for n, study in studies.items()}
    if not different:
        names = [n for n in defined if not n.startswith("_")]
        raise LookupError(
            f"{path} must define a tuner.Study, but defines none; there are: "
            f"{', '.join(names) or 'no names'}"
        )
    if len(different) > 1:
        choices = ", ".join(f"{path}:{n}" for n in different.values())
        raise LookupError(
            f"{path} defines {len(different)} studies, so one must be named: {choices}"
        )
    return next(iter(studies.values()))


def changed(
    study: Study,
    *,
    rounds: int | None = None,
    seed: int | None = None,
    values: Iterable[str] = (),
) -> Study:
    """The study with some of its definition replaced.

    Args:
        study: the study.
        rounds: only so many of its rounds, the first.
        seed: another seed.
        values: `name=value` for each hyperparameter to fix.

    Raises:
        ValueError, TypeError: for what the study or a domain refuses.
    """
    changes: dict[str, Any] = {}
    if rounds is not None:
        if not 1 <= rounds <= len(study.rounds):
            raise ValueError(
                f"`1 <= rounds <= {len(study.rounds)}`, the rounds of the study, must "
                f"hold, but got (rounds={rounds})"
            )
        changes["rounds"] = study.rounds[:rounds]
    if seed is not None:
        changes["seed"] = seed
    fixed = dict(_assignment(text) for text in values)
    entries = {name: _fixed(study.space, name, value) for name, value in fixed.items()}
    changes["space"] = study.space.replace(entries)
    return dataclasses.replace(study, **changes)


def _split(reference: str) -> tuple[Path, str]:
    path, _, name = reference.rpartition(":")
    named = path and name.isidentifier()
    return (Path(path), name) if named else (Path(reference), "")


def _execute(path: Path) -> ModuleType:
    """The file as a module; what lies beside it can be imported."""
    sys.path.insert(0, str(path.parent.resolve()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None, "a file that is there has a specification"
    assert spec.loader is not None, "and so it has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        own = _from_file(spec.origin, error.__traceback__)
        raise BrokenStudyError(str(path)) from error.with_traceback(own)
    return module


def _from_file(path: str | None, trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that begins in a file."""
    while trace is not None and trace.tb_frame.f_code.co_filename != path:
        trace = trace.tb_next
    return trace


def _assignment(text: str) -> tuple[str, Any]:
    """Name and value, the latter a Python literal or else a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set takes NAME=VALUE, but got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _fixed(space: Space, name: str, value: Any) -> Any:
    """What a name becomes."""
    return fixed_to(space.domains.get(name), space.check(name, value))
