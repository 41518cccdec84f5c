"""A rule's path over a surface as SVG: bands of equal loss, the path, its start (a ring) and its end (a dot).

It is drawn from the walk that `surefoot explain` draws in the terminal.
"""

import math
from html import escape
from itertools import groupby

from surefoot.explain.surfaces import heights

COLUMNS, ROWS = 96, 64
WIDTH, HEIGHT = 480, 320
BANDS = ("#eef3fb", "#dfe9f6", "#cddcf0", "#b8cde8", "#9fbbde", "#86a8d3", "#6d94c6", "#5680b6")


def draw(surface, path, label: str) -> str:
    """Return the picture; `label` says in words what it shows."""
    left, right, bottom, top = surface.window

    def place(point) -> str:
        x, y = point
        across, up = (x - left) / (right - left) * WIDTH, (top - y) / (top - bottom) * HEIGHT
        return f"{min(max(across, -99), WIDTH + 99):.1f},{min(max(up, -99), HEIGHT + 99):.1f}"

    line = " ".join(place(point) for point in path.points)
    start, end = (place(point).split(",") for point in (path.points[0], path.points[-1]))
    return (
        f'<svg class="path" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{escape(label)}">'
        f"{_bands(surface)}"
        f'<polyline points="{line}" fill="none" stroke="#b3261e" stroke-width="2"/>'
        f'<circle cx="{start[0]}" cy="{start[1]}" r="5" fill="#fff" stroke="#b3261e" stroke-width="2"/>'
        f'<circle cx="{end[0]}" cy="{end[1]}" r="5" fill="#b3261e"/></svg>'
    )


def _bands(surface) -> str:
    """Return the ground: rectangles, each as long as the band stays the same."""
    wide, high = WIDTH / COLUMNS, HEIGHT / ROWS
    levels = [[math.log1p(value) for value in line] for line in heights(surface, COLUMNS, ROWS)]
    low, top = min(map(min, levels)), max(map(max, levels))
    found = []
    for row, line in enumerate(levels):
        column = 0
        for band, run in groupby(int((v - low) / (top - low) * (len(BANDS) - 0.001)) for v in line):
            count = len(list(run))
            found.append(
                f'<rect x="{column * wide:g}" y="{row * high:g}" width="{count * wide + 0.4:g}" '
                f'height="{high + 0.4:g}" fill="{BANDS[band]}"/>'
            )
            column += count
    return "".join(found)
