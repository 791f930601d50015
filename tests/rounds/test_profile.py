"""A profile: some calls after the first, with phases and scopes by their names."""

import gzip
import json
import re

import pytest
import small
from displays import Told

import tuner
from tuner.rounds import profile as module
from tuner.rounds.profile import CALLS, WARM_UP, Profile


@pytest.fixture(scope="module")
def profiled(tmp_path_factory):
    """A small run of 20 calls, and what was said."""
    study = small.study(
        space=small.space(activation="relu"),
        rounds=[tuner.Round(trials=2, max_train_steps=20)],
        eval_every=1,
    )
    display, folder = Told(), tmp_path_factory.mktemp("profiled") / "run"
    tuner.run(study, folder, layout="2x1x1", display=display, profile=True)
    return folder, display.notes


@pytest.fixture(scope="module")
def events(profiled):
    """The names in the trace, and how often each is there."""
    (trace,) = (profiled[0] / "profile").rglob("*.trace.json.gz")
    counts = {}
    for event in json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]:
        counts[event.get("name")] = counts.get(event.get("name"), 0) + 1
    return counts


def test_it_says_where_the_trace_lies_and_how_to_see_it(profiled):
    folder, notes = profiled
    (trace,) = folder.rglob("*.trace.json.gz")
    assert f"profile of {CALLS} calls: open {trace} at https://ui.perf" in notes[-1]
    assert f"`xprof {folder / 'profile'}`" in notes[-1]


@pytest.mark.parametrize("phase", ["collect", "fill", "launch", "read", "record"])
def test_the_hosts_phases_have_names(events, phase):
    assert CALLS - 1 <= events[phase] <= CALLS


def test_the_devices_scopes_have_names(profiled):
    """They are in the program that the profile carries, beside the operations."""
    (written,) = (profiled[0] / "profile").rglob("*.xplane.pb")
    paths = re.findall(rb"jit\(_advance\)/[\w()/]+", written.read_bytes())
    scopes = {part for path in paths for part in re.split(rb"[/()]", path)}
    assert {b"order", b"step", b"evaluate", b"best"} <= scopes


def test_a_run_too_short_says_so(tmp_path):
    notes = []
    profile = Profile(tmp_path / "profile", notes.append)
    for _ in range(WARM_UP - 1):
        profile.called()
    profile.close()
    assert notes == [
        "nothing was profiled: that begins after 5 calls of a program, but there were 4"
    ]
    assert not (tmp_path / "profile").exists()


def test_a_run_that_ends_meanwhile_is_profiled_so_far(tmp_path):
    notes = []
    profile = Profile(tmp_path, notes.append)
    for _ in range(WARM_UP + 2):
        profile.called()
    profile.close()
    assert notes[0].startswith("profile of 2 calls: open ")


def test_without_a_folder_nothing_is_traced(monkeypatch):
    monkeypatch.setattr(module, "jax", None)
    profile = Profile(None, print)
    for _ in range(WARM_UP + CALLS):
        profile.called()
    profile.close()
