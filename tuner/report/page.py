"""The page: one file that shows a run and asks nothing of the network.

A content security policy allows the two scripts in it, by their hashes, and nothing
else; what a study calls its things is text to it, never markup.
"""

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path

from plotly.offline import get_plotlyjs

from tuner.report import colours
from tuner.report.markup import Html, data, element, join
from tuner.report.material import gather
from tuner.report.sections import sections
from tuner.runs import Run

NAME = "report.html"


def write_report(run: Run, path: str | Path | None = None) -> Path:
    """Draw the page of a run, finished or not.

    Args:
        run: the run.
        path: the file to write; `report.html` in the run's directory if None.

    Returns:
        Where the page lies.
    """
    path = run.directory / NAME if path is None else Path(path)
    material = gather(run)
    text = page(f"{material.study['name']}: report", sections(material))
    draft = path.with_name(f".{path.name}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)  # who reads it meanwhile sees a whole page
    except OSError as error:
        raise OSError(
            f"the report must be written, but `{path}` cannot be ({error.strerror}); "
            "the run has all that is in it: write it again, or elsewhere"
        ) from error
    return path


def page(title: str, parts: list[Html]) -> Html:
    """The parts in their frame, with style and scripts."""
    scripts = [Html(get_plotlyjs()), Html(_resource("page.js"))]
    style = Html(colours.style_sheet() + _resource("page.css"))
    night = data(json.dumps(colours.NIGHT))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(scripts)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", style),
    )
    body = element(
        "body",
        element("main", *parts),
        element("script", night, type="application/json", id="night"),
        *[element("script", script) for script in scripts],
    )
    return join(Html("<!doctype html>\n"), element("html", head, body, lang="en"))


def _policy(scripts: list[Html]) -> str:
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return (
        f"default-src 'none'; script-src {' '.join(hashes)}; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _resource(name: str) -> str:
    return (files("tuner.report") / name).read_text(encoding="utf-8")
