import re
import shutil
import subprocess
import sys

import pytest
from playwright import sync_api

from tuner.report.page import write_report

CHROMIUM = "/usr/bin/chromium"
EVIL = '</script><script>alert(1)</script><a href="https://example.org">$x$</a>%{x}'


@pytest.fixture
def trials(trial):
    """Two rounds, in which all that can happen has."""
    child = {"round": 2, "start_step": 75, "step": 200, "max_train_steps": 200}
    return [
        trial(0, 0.3, rate=0.01),
        trial(1, 0.2, activation="gelu", rate=0.02),
        trial(2, None, rate=0.09),
        trial(3, 0.1, parent=0, best_step=150, rate=0.01, **child),
        trial(4, 0.25, parent=1, activation="gelu", best_step=180, **child),
    ]


def text(run):
    return write_report(run).read_text()


def headings(page):
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_the_page_lies_in_the_runs_directory(trials, make_run):
    run = make_run(trials)
    assert write_report(run) == run.directory / "report.html"


def test_it_lies_where_it_is_asked_to(trials, make_run, tmp_path):
    path = tmp_path / "page.html"
    assert write_report(make_run(trials), path) == path
    assert [p.name for p in tmp_path.iterdir() if "page" in p.name] == ["page.html"]


def test_the_same_run_gives_the_same_page(trials, make_run):
    run = make_run(trials)
    assert text(run) == text(run)


def test_its_parts_come_in_order(trials, make_run):
    page = text(make_run(trials))
    assert "<h1>small</h1>" in page
    assert headings(page) == [
        "Findings",
        "The best trials",
        "What longer training gave",
        "How long to train",
        "The objective against each hyperparameter",
        "The best trials, step by step",
        "Learning rates before and after extension",
        "How to reproduce it",
        "Where the data lies",
    ]


def test_one_round_has_nothing_on_longer_training(trials, make_run):
    assert headings(text(make_run(trials[:3]))) == [
        "Findings",
        "The best trials",
        "How long to train",
        "The objective against each hyperparameter",
        "The best trials, step by step",
        "How to reproduce it",
        "Where the data lies",
    ]


def test_when_all_trials_broke_their_panels_remain(trial, make_run):
    page = text(make_run([trial(n, None) for n in range(3)]))
    assert headings(page) == [
        "Findings",
        "The objective against each hyperparameter",
        "How to reproduce it",
        "Where the data lies",
    ]
    assert "3 of 3 trials (100%) diverged" in page


def test_a_run_that_has_hardly_begun_has_a_page(make_run):
    page = text(
        make_run(
            [], rounds=[{"max_train_steps": 100, "trials": 2, "points": [], "keep": 0}]
        )
    )
    assert "No trial has a result yet." in page
    assert "Unfinished: 0 of 2 trials have ended." in page


def test_a_run_that_is_over_is_not_called_unfinished(trial, make_run):
    """One that would keep two has one to keep: the other was stopped."""
    rounds = [
        {"max_train_steps": 100, "trials": 2, "points": [], "keep": 0},
        {"max_train_steps": 200, "trials": 0, "points": [], "keep": 2},
    ]
    first = [trial(0), trial(1, 0.3, status="stopped", step=90)]
    child = trial(2, round=2, parent=0, max_train_steps=200, step=200)
    page = text(make_run([*first, child], rounds=rounds))
    assert "Unfinished" not in page
    assert re.search(r"<dt>stopped</dt>\s*<dd>1</dd>", page)


def test_it_says_how_to_reproduce_the_run_and_where_its_data_lies(trials, make_run):
    run = make_run(trials)
    page = text(run)
    assert "tuner run STUDY.py --dir NEW_DIRECTORY --seed 7 --layout 1x2x4" in page
    assert f'pl.read_parquet("{run.directory}/metrics/valid/*.parquet")' in page
    assert "Python 3.11.7, jax 0.10.2" in page


def test_names_are_text(trial, make_run, space):
    activation = space["activation"] | {"values": [EVIL, "gelu"]}
    trials = [trial(0, 0.1, activation=EVIL), trial(1, 0.2, activation="gelu")]
    page = text(make_run(trials, name=EVIL, domains=space | {"activation": activation}))
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert '<a href="https://example.org"' not in page


def test_writing_it_imports_no_jax(trials, make_run):
    run = make_run(trials)
    program = (
        "import sys, tuner; "
        f"tuner.write_report(tuner.open_run({str(run.directory)!r})); "
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "tuner.report.page" in loaded.split()
    assert {"jax", "flax", "optax"}.isdisjoint(loaded.split())


# In a browser


@pytest.fixture(scope="module")
def browser():
    if not shutil.which(CHROMIUM):
        pytest.skip(f"drawing needs a browser, but there is no {CHROMIUM}")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser):
    """Opens a page; returns it, what its console said, and whom it asked."""

    def open_(path, **options):
        tab = browser.new_page(**options)
        said, asked = [], []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        return tab, said, asked

    return open_


MARKS = ".barlayer .point, .scatterlayer .point, .scatterlayer .js-line"


@pytest.mark.slow
def test_every_figure_is_drawn_and_nothing_is_asked_for(trials, make_run, opened):
    path = write_report(make_run(trials))
    tab, said, asked = opened(path)
    count = f"places => places.map(p => p.querySelectorAll('{MARKS}').length)"
    marks = tab.eval_on_selector_all("[data-figure]", count)
    assert len(marks) == 2 + 2 + 3 + 2  # best steps, panels, curves, schedules
    assert all(marks)
    assert said == []
    assert asked == [path.as_uri()]


@pytest.mark.slow
def test_figures_follow_the_hour(trials, make_run, opened):
    tab, *_ = opened(write_report(make_run(trials)), color_scheme="light")
    line = tab.locator(".js-line").first
    sync_api.expect(line).to_have_css("stroke", "rgb(11, 102, 176)")
    tab.emulate_media(color_scheme="dark")
    sync_api.expect(line).to_have_css("stroke", "rgb(61, 155, 224)")
    background = "getComputedStyle(document.documentElement).backgroundColor"
    assert tab.evaluate(background) == "rgb(22, 24, 28)"


@pytest.mark.slow
def test_a_phone_needs_no_sideways_scrolling(trials, make_run, opened):
    path = write_report(make_run(trials))
    tab, *_ = opened(path, viewport={"width": 400, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") == 400


@pytest.mark.slow
def test_names_do_nothing_in_a_browser(trial, make_run, space, opened):
    activation = space["activation"] | {"values": [EVIL, "gelu"]}
    trials = [trial(0, 0.1, activation=EVIL), trial(1, 0.2, activation="gelu")]
    run = make_run(trials, name=EVIL, domains=space | {"activation": activation})
    tab, said, asked = opened(write_report(run))
    assert tab.title() == f"{EVIL}: report"
    assert tab.eval_on_selector_all("a", "links => links.length") == 0
    assert said == []
    assert len(asked) == 1
