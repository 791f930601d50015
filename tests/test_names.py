"""Names, goals and notes may be anything: they are shown as text, and do nothing.

One run whose texts are markup, paths, commands of a terminal, and long; then all that
is printed of it, and its page.
"""

import re
import shlex
from html.parser import HTMLParser

import jax.numpy as jnp
import pytest
from test_house import output

import tuner
from tuner.cli.tables import make_console
from tuner.study.task import Task

TEXTS = [
    "<script>document.title = 'taken'</script>",
    "<a href='https://evil.invalid'>../../x</a>",
    "two\nlines\r\x1b[31mred\x1b]0;title\x07\x9b2J\x08\x00 $x^2$",
    "\N{PILE OF POO}\u202egnp.exe\u2066\u2028" + "x" * 500,
]
LONG = "n" * 500  # a name of a hyperparameter is an identifier
METRIC = "<b>\x1b[32m\u202e"
ACTING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]")


class Square(Task):
    def init(self, key, hyperparams):
        return jnp.float32(hyperparams.start)

    def step(self, key, hyperparams, state, learning_rate):
        return state - learning_rate * state, {"loss": state**2, METRIC: state}

    def evaluate(self, key, hyperparams, state):
        return {"loss": state**2, METRIC: state**2}


def study():
    space = tuner.Space(
        start=tuner.Float(1.0, 2.0),
        which=tuner.Choice(*TEXTS, role="scientific"),
        learning_rate=0.1,
        **{LONG: tuner.Float(0.0, 1.0), "größe": tuner.Choice(*TEXTS[:1], "b")},
    )
    return tuner.Study(
        name="names",
        goal=" ".join(TEXTS),
        space=space,
        task=Square(),
        schedule=lambda hyperparams, steps: {
            "learning_rate": tuner.warmup_constant_decay(
                0.1, steps, warmup_steps=0, decay_fraction=0.5
            ),
            METRIC: lambda count: 1.0,
        },
        objective=f"valid/{METRIC}",
        rounds=[
            tuner.Round(trials=4, max_train_steps=2),
            tuner.Round(keep=4, max_train_steps=4, extend=tuner.LengthenConstant()),
        ],
        eval_every=1,
    )


@pytest.fixture(scope="module")
def printed_and_run(tmp_path_factory):
    """The run, and what is printed while it trains."""
    directory = tmp_path_factory.mktemp("runs") / "names"
    program = (
        "import jax, test_names, tuner; jax.config.update('jax_num_cpu_devices', 2); "
        f"tuner.run(test_names.study(), {str(directory)!r}, layout='2x1x2')"
    )
    printed = output("sh", "-c", f"python -c {shlex.quote(program)} 2>&1")
    return printed, tuner.open_run(directory)


@pytest.fixture
def run(printed_and_run):
    return printed_and_run[1]


def test_they_come_back_as_they_were(run):
    assert run.status == "complete"
    assert run.definition["study"]["goal"] == " ".join(TEXTS)
    assert set(run.trials["hp.which"]) == set(TEXTS)
    assert f"valid/{METRIC}" in run.metrics("valid").columns
    assert {f"train/{METRIC}", METRIC} <= set(run.metrics("train").columns)
    assert run.restore(0) > 0


def test_nothing_is_written_beside_the_run(run):
    assert [path.name for path in run.directory.parent.iterdir()] == ["names"]


def test_nothing_that_acts_is_printed_while_it_trains(printed_and_run):
    printed, _ = printed_and_run
    assert "compiling" in printed
    assert r"\x1b[31mred\x1b]0;title" in printed
    assert not ACTING.findall(printed)


@pytest.mark.parametrize(
    "command", ["status", "trials", "trials --tree", "best", "list", "check-files"]
)
def test_no_command_prints_anything_that_acts(run, command, monkeypatch, capsys):
    name, *options = command.split()
    directory = run.directory.parent if name == "list" else run.directory
    monkeypatch.setattr("sys.argv", ["tuner", name, str(directory), *options])
    with pytest.raises(SystemExit, match="0"):
        tuner_main()
    shown = capsys.readouterr().out
    assert "names" in shown or r"\x1b[32m" in shown
    assert not ACTING.findall(shown)


def tuner_main():
    from tuner.cli.commands import app

    app(prog_name="tuner")


def test_a_console_prints_text_and_its_own_styles(capsys):
    console = make_console()
    console.print("[red]\x1b[31m", style="bold")
    assert capsys.readouterr().out == "[red]\\x1b[31m\n"


# The page


@pytest.fixture(scope="module")
def page(printed_and_run):
    """Without its own scripts."""
    text = tuner.write_report(printed_and_run[1]).read_text(encoding="utf-8")
    return text, re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_markup_in_a_name_is_text_on_the_page(page):
    _, shown = page
    assert "&lt;script&gt;document.title = 'taken'&lt;/script&gt;" in shown
    assert "<a href" not in shown
    assert "<b>\\x1b" not in shown
    assert not ACTING.findall(shown)


class Tags(HTMLParser):
    """All tags that a browser would make of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, [name for name, _ in attrs]))


def test_the_page_has_its_own_scripts_alone(page):
    """Plotly, and what draws; all others are data, which no browser runs."""
    tags = Tags(page[0]).found
    scripts = [attributes for tag, attributes in tags if tag == "script"]
    assert [names for names in scripts if "type" not in names] == [[], []]
    assert set(re.findall(r'<script type="([^"]*)"', page[0])) == {"application/json"}
    attributes = {name for _, names in tags for name in names}
    assert not any(name.startswith(("on", "src", "href")) for name in attributes)
    assert {"a", "b", "img", "iframe"}.isdisjoint(tag for tag, _ in tags)


def test_half_a_character_is_refused():
    rule = r"`a choice` must be text that can be written as UTF-8, but has '\\ud800'"
    with pytest.raises(ValueError, match=rule):
        tuner.Choice("a", "b\ud800")
