"""A walk over a surface in a terminal: lines of braille dots on bands of equal height.

A character has two dots across and four down. Where the walk does not go, every second band of height is dotted, so
that the ground can be read without colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from surefoot.explain.path import Path
from surefoot.explain.surfaces import Surface

BANDS = 12
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE = 0x2800


def plot(surface: Surface, path: Path, width: int = 60, height: int = 15) -> str:
    """Return the picture with a frame: ○ is the start, ● the end of the walk, × the minimum.

    Args:
        surface: the ground.
        path: the walk.
        width, height: of the picture, in characters, its frame and labels not counted.
    """
    rows = _ground(surface, width, height)
    for (row, column), dots in _dots(surface, path, width, height).items():
        rows[row][column] = chr(_BRAILLE + dots)
    marks = [*(("×", place) for place in surface.minima), ("○", path.points[0]), ("●", path.points[-1])]
    for mark, point in marks:
        place = _place(surface, point, width, height)
        if place:
            rows[int(place[1])][int(place[0])] = mark
    return _framed(surface, ["".join(row) for row in rows], width)


def _place(surface: Surface, point: Sequence[float], width: float, height: float) -> tuple[float, float] | None:
    """Return where a point is, from the upper left; None if it is outside."""
    x0, x1, y0, y1 = surface.window
    across, down = (point[0] - x0) / (x1 - x0) * width, (y1 - point[1]) / (y1 - y0) * height
    return (across, down) if 0 <= across < width and 0 <= down < height else None


def _ground(surface: Surface, width: int, height: int) -> list[list[str]]:
    """Return the bands of height, in equal ratios above the lowest."""
    x0, x1, y0, y1 = surface.window
    values = [
        [
            surface.evaluate(
                x0 + (x1 - x0) * (column + 0.5) / width, y1 - (y1 - y0) * (row + 0.5) / height, surface.settings
            )[0]
            for column in range(width)
        ]
        for row in range(height)
    ]
    ordered = sorted(value for line in values for value in line)
    floor = ordered[len(ordered) // 50] - ordered[0] or 1e-9
    low, high = math.log(floor), math.log(ordered[-1] - ordered[0] + floor)
    band = [[int((math.log(v - ordered[0] + floor) - low) / (high - low) * BANDS) for v in line] for line in values]
    return [["·" if level % 2 else " " for level in line] for line in band]


def _dots(surface: Surface, path: Path, width: int, height: int) -> dict[tuple[int, int], int]:
    """Return the dots of each character that the walk passes through."""
    found: dict[tuple[int, int], int] = {}
    for first, second in zip(path.points, path.points[1:], strict=False):
        for share in (k / 200 for k in range(201)):
            point = [a + (b - a) * share for a, b in zip(first, second, strict=True)]
            place = _place(surface, point, 2 * width, 4 * height)
            if place:
                across, down = int(place[0]), int(place[1])
                key = (down // 4, across // 2)
                found[key] = found.get(key, 0) | _DOTS[down % 4][across % 2]
    return found


def _framed(surface: Surface, rows: list[str], width: int) -> str:
    x0, x1, y0, y1 = surface.window
    left = max(len(f"{y0:g}"), len(f"{y1:g}"))
    labels = [f"{y1:g}", *[""] * (len(rows) - 2), f"{y0:g}"]
    body = [f"{label:>{left}} │{row}│" for label, row in zip(labels, rows, strict=True)]
    pad = " " * (left + 1)
    scale = f"{pad} {f'{x0:g}':<{width // 2}}{f'{x1:g}':>{width - width // 2}}"
    return "\n".join([f"{pad}┌{'─' * width}┐", *body, f"{pad}└{'─' * width}┘", scale])
