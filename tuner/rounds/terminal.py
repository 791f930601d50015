"""A console that no text can command: what acts on a terminal is written out."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

from tuner.study.text import printable


class Terminal(Console):
    """Prints text as it is, never as markup, and no control character but its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, highlight=False, emoji=False, **options)

    def render(self, *arguments: Any, **options: Any) -> Iterable[Segment]:
        """What Rich renders, with the characters written out that would act."""
        for text, style, control in super().render(*arguments, **options):
            yield Segment(
                text if control else printable(text, lines=True), style, control
            )
