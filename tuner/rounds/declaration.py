"""What a directory says of its run: written anew whenever more of it is known.

Layouts are known once they are measured, and what a new study's functions are, once
the first program compiles: tracing them takes no time of its own beside that. Both are
there before anything is trained.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuner.lanes.layout import Layout
from tuner.store.writer import Writer

OUT_OF_MEMORY = "out_of_memory"  # an entry each time


class Declaration:
    """The definition of a run, from several threads.

    Args:
        writer: of the run.
        said: what is known from the beginning.
        layouts: of its programs, as far as they are known.
        events: whenever a device's memory was not enough.
        later: finds out what is not known yet.
    """

    def __init__(
        self,
        writer: Writer,
        said: Mapping[str, Any],
        layouts: Mapping[str, Layout],
        events: Sequence[Mapping[str, Any]],
        later: Callable[[], Mapping[str, Any]] | None,
    ) -> None:
        self._writer, self._said = writer, said
        self._layouts, self._events = layouts, events
        self._later = later
        self._turn = threading.Lock()

    def complete(self) -> None:
        """Find out what is not known yet; nothing is trained before."""
        if self._later is not None:
            self._said, self._later = {**self._said, **self._later()}, None
            self.write()

    def write(self) -> None:
        """Write it, over an earlier one."""
        with self._turn:
            layouts = dict(self._layouts)  # meanwhile one more may become known
            texts = {name: str(layout) for name, layout in layouts.items()}
            happened = {OUT_OF_MEMORY: list(self._events)} if self._events else {}
            said = {**self._said, "layouts": texts, **happened}
            self._writer.write_definition(said)
