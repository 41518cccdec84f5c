"""What people read in a terminal is printed here: names as they are, and no blank before the end of a line.

Rich leaves the blank at which it wraps a text, and fills up the last column of a table. Whoever copies such lines, or
compares two outputs, stumbles over these blanks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment


def console_for_people(*, stderr: bool = False) -> Console:
    """Make a console that prints names as they are."""
    console = Console(highlight=False, markup=False, emoji=False, stderr=stderr)
    console.push_render_hook(_Trims())
    return console


class _Trims(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Trimmed(one) for one in renderables]


@dataclass(frozen=True)
class _Trimmed:
    """Something to print, without the blanks before the ends of its lines."""

    drawn: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        line: list[Segment] = []
        for text, style, control in console.render(self.drawn, options):
            for part in text.splitlines(keepends=True) or [""]:
                line.append(Segment(part, style, control))
                if part.endswith("\n"):
                    yield from _without_last_blanks(line)
                    yield Segment.line()
                    line = []
        yield from line  # nothing ends it: what is printed next goes on here


def _without_last_blanks(line: list[Segment]) -> list[Segment]:
    while line and not line[-1].control and not line[-1].text.strip():
        line = line[:-1]
    return [*line[:-1], *(Segment(text.rstrip(), style, control) for text, style, control in line[-1:])]
