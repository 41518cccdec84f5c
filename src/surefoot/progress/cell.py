"""The board in the output of a notebook's cell, replaced in place, and below it a line for each trial that failed.

By IPython's own display, which every notebook has: rich's live display there needs ipywidgets, shows nothing without
it, and leaves an empty widget in a notebook that is saved.
"""

from __future__ import annotations

import time
from html import escape
from importlib import import_module
from types import TracebackType

from surefoot.design.trial import Trial
from surefoot.progress.board import Board
from surefoot.progress.words import name_of
from surefoot.training import events

SECONDS = 0.5
"""The least time between two changes of the picture."""


class NotebookCell:
    """A place in a cell's output; enter it to show the board, leave it to show how all ended.

    Args:
        board: what is shown.
        many: whether trials are told apart by their seeds.
    """

    def __init__(self, board: Board, *, many: bool) -> None:
        self._board, self._many = board, many
        self._failures: list[str] = []
        self._drawn = time.monotonic()

    def __enter__(self) -> NotebookCell:
        display = import_module("IPython.display").display
        self._handle = display(self._content(), raw=True, display_id=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._draw()

    def observe(self, trial: Trial, event: events.Event) -> None:
        """Take an event in; the picture follows when it is time."""
        self._board.observe(trial, event)
        if isinstance(event, events.Failed):
            self._failures.append(f"{name_of(trial, self._many, 60)} failed: {event.reason}")
        if time.monotonic() - self._drawn >= SECONDS:
            self._draw()

    def _draw(self) -> None:
        self._handle.update(self._content(), raw=True)
        self._drawn = time.monotonic()

    def _content(self) -> dict[str, str]:
        text = "\n".join([self._board.__rich__().plain, *self._failures])
        return {"text/plain": text, "text/html": f'<pre style="white-space:pre-wrap">{escape(text)}</pre>'}
