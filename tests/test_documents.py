"""Every example in the documents and docstrings runs, every link leads to a file."""

import re
from doctest import ELLIPSIS
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MODULES = sorted(ROOT.glob("tuner/**/*.py"))

SYBILS = {
    ".md": Sybil([PythonCodeBlockParser(doctest_optionflags=ELLIPSIS)]),
    ".py": Sybil([DocTestParser()]),
}
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")  # neither an address nor a heading


def examples(path: Path) -> list[Example]:
    """The ```python blocks of a document, the `>>>` lines of a module's docstrings."""
    return list(SYBILS[path.suffix].parse(path))


def links(path: Path) -> list[str]:
    """Where the links of a document to other files lead, relative to its folder."""
    return LINK.findall(CODE.sub("", path.read_text()))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("paths", [DOCUMENTS, MODULES], ids=["documents", "modules"])
def test_there_are_examples_to_run(paths):
    assert any(examples(path) for path in paths)


@pytest.mark.parametrize("path", [*filter(examples, DOCUMENTS + MODULES)], ids=name)
def test_the_examples_run_in_order(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for example in examples(path):
        example.evaluate()


def test_there_are_links_to_follow():
    assert any(links(path) for path in DOCUMENTS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_the_links_lead_to_files(path):
    assert [link for link in links(path) if not (path.parent / link).exists()] == []
