"""Pictures in a terminal: a canvas of characters, and on it a walk over a surface in braille dots on bands of height.

A character has two dots across and four down. Where the walk does not go, every second band of height is dotted, so
that the ground can be read without colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from surefoot.explain.path import Path
from surefoot.explain.surfaces import Landscape, heights

BANDS = 12
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE = 0x2800


class Canvas:
    """Rows of characters, from the top down, that show a part of the plane.

    Args:
        x, y: the ends of what is shown, along and up.
        width, height: in characters.
    """

    def __init__(self, x: tuple[float, float], y: tuple[float, float], width: int, height: int) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height
        self.rows = [[" "] * width for _ in range(height)]

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """The row and the column of a point; None if it is outside."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0]) * self.width
        down = (self.y[1] - y) / (self.y[1] - self.y[0]) * self.height
        return (int(down), int(across)) if 0 <= across < self.width and 0 <= down < self.height else None

    def put(self, mark: str, x: float, y: float) -> None:
        """Write a character at a point, if that is inside."""
        if cell := self.cell(x, y):
            self.rows[cell[0]][cell[1]] = mark

    def lines(self, labels: Mapping[int, str], left: int) -> list[str]:
        """The rows behind their labels, which are `left` characters wide, and a line."""
        return [f"{labels.get(place, ''):>{left}} │{''.join(row)}" for place, row in enumerate(self.rows)]


def plot(surface: Landscape, path: Path, width: int = 60, height: int = 15) -> str:
    """Return the picture with a frame: ○ is the start, ● the end of the walk, × the minimum.

    Args:
        surface: the ground.
        path: the walk.
        width, height: of the picture, in characters, its frame and labels not counted.
    """
    x0, x1, y0, y1 = surface.window
    canvas = Canvas((x0, x1), (y0, y1), width, height)
    canvas.rows = _ground(surface, width, height)
    for (row, column), dots in _dots(path, Canvas(canvas.x, canvas.y, 2 * width, 4 * height)).items():
        canvas.rows[row][column] = chr(_BRAILLE + dots)
    for mark, point in [*(("×", place) for place in surface.minima), ("○", path.points[0]), ("●", path.points[-1])]:
        canvas.put(mark, *point)
    left = max(len(f"{y0:g}"), len(f"{y1:g}"))
    body = (f"{line}│" for line in canvas.lines({0: f"{y1:g}", height - 1: f"{y0:g}"}, left))
    pad = " " * (left + 1)
    scale = f"{pad} {f'{x0:g}':<{width // 2}}{f'{x1:g}':>{width - width // 2}}"
    return "\n".join([f"{pad}┌{'─' * width}┐", *body, f"{pad}└{'─' * width}┘", scale])


def _ground(surface: Landscape, width: int, height: int) -> list[list[str]]:
    """Return the bands of height, in equal ratios above the lowest."""
    values = heights(surface, width, height)
    ordered = sorted(value for line in values for value in line)
    floor = ordered[len(ordered) // 50] - ordered[0] or 1e-9
    low, high = math.log(floor), math.log(ordered[-1] - ordered[0] + floor)
    band = [[int((math.log(v - ordered[0] + floor) - low) / (high - low) * BANDS) for v in line] for line in values]
    return [["·" if level % 2 else " " for level in line] for line in band]


def _dots(path: Path, fine: Canvas) -> dict[tuple[int, int], int]:
    """Return the dots of each character that the walk passes through."""
    found: dict[tuple[int, int], int] = {}
    for first, second in zip(path.points, path.points[1:], strict=False):
        for share in (k / 200 for k in range(201)):
            x, y = (a + (b - a) * share for a, b in zip(first, second, strict=True))
            if cell := fine.cell(x, y):
                row, column = cell
                key = (row // 4, column // 2)
                found[key] = found.get(key, 0) | _DOTS[row % 4][column % 2]
    return found
