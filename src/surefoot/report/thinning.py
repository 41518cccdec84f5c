"""How much of a large study a page carries: enough for every picture to look the same, and the rest is told.

A picture of 400 pixels shows no more than some hundred points of a line, and a browser that draws ten thousand marks
takes seconds. The numbers in tables, intervals and curves are made from all trials; only points that are drawn are
thinned, evenly, with the first and the last among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

LINE = 120
"""Most points of one line."""

MARKS = 2000
"""Most marks of one figure."""


def thinned(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items, evenly spaced, the first and the last among them; all if they are no more."""
    if len(items) <= most:
        return list(items)
    if most < 2:
        return list(items[-most:]) if most else []
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def left_out(shown: int, of: int, what: str) -> Iterator[str]:
    """The sentence that tells so; none if all are shown."""
    if shown < of:
        yield f"Drawn are {shown:,} of {of:,} {what}, evenly chosen; all are in the raw data."
