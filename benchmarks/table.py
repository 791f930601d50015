"""The README's table, written anew from the files of results."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.results import Figure, read

README = Path(__file__).parent / "README.md"
MARKS = ("<!-- figures -->", "<!-- end -->")


def write_table(folder: Path, names: list[str], readme: Path = README) -> None:
    """Put the table of all results between the marks of the README."""
    begin, end = MARKS
    between = re.compile(f"{begin}.*{end}", re.DOTALL)
    text = readme.read_text()
    new = f"{begin}\n{table(folder, names)}\n{end}"
    readme.write_text(between.sub(lambda _: new, text))


def table(folder: Path, names: list[str]) -> str:
    """Figures by workload, speeds below them, and where and when it was measured."""
    return "\n\n".join(_section(name, read(folder, name)) for name in names)


def _section(name: str, content: dict[str, Any] | None) -> str:
    if content is None:
        return f"### {name}\n\nNot measured yet: `python -m benchmarks --only {name}`"
    return "\n".join(_lines(name, content))


def _lines(name: str, content: dict[str, Any]) -> Iterator[str]:
    machine, versions = content["machine"], content["versions"]
    yield f"### {name}: {content['title']}"
    yield ""
    yield "| figure | measured | spread | to reach |"
    yield "|---|---|---|---|"
    yield from map(_row, content["figures"])
    yield ""
    if speeds := content["steps_per_second"]:
        yield (
            "Trial-steps a second: "
            + ", ".join(f"{who} {_number(s['median'])}" for who, s in speeds.items())
            + ".\n"
        )
    yield (
        f"`{content['command']}`, {content['date']}, {machine['cores']} cores "
        f"({machine['architecture']}, {machine['instruction_set']}), "
        f"{machine['device']}, Python {versions['python']}, JAX {versions['jax']} "
        f"([{name}.json](results/{name}.json))"
    )


def _row(figure: Figure) -> str:
    unit = {"x": " x", "": ""}.get(figure.unit, f" {figure.unit}")
    spread = f"{_number(min(figure.values))} to {_number(max(figure.values))}"
    return (
        f"| {figure.number}: {figure.claim} | **{_number(figure.median)}{unit}** "
        f"| {spread} | {_target(figure, unit)} |"
    )


def _target(figure: Figure, unit: str) -> str:
    if figure.reached is None:
        return ""
    bound, value = (
        ("at least", figure.least)
        if figure.least is not None
        else ("at most", figure.most)
    )
    return f"{bound} {value:g}{unit}: {'yes' if figure.reached else 'no'}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
