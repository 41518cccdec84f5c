"""The curve of a learning-rate range test in a terminal: a line, a band and the window, without colour."""

from __future__ import annotations

import math
from collections.abc import Iterator

from surefoot.explain.plot import Canvas
from surefoot.range_test.window import Curve, RangeFinding, Window, frame

WIDTH, HEIGHT = 66, 14
LEFT = 10
LEGEND = "● mean over seeds   ░ lowest to highest seed   ├─┼─┤ window and its centre"


def plot(found: RangeFinding) -> str:
    """Return the picture, 80 columns wide or less: ● mean, ░ from the lowest to the highest seed, ├─┼─┤ the window."""
    low, high = frame(found.curve)
    half = (high - low) / (HEIGHT - 1) / 2  # the ends are in the middle of the first and of the last row
    canvas = Canvas((-0.5, WIDTH - 0.5), (low - half, high + half), WIDTH, HEIGHT)
    for column, mean, least, most in _columns(found.curve):
        if least <= high:
            top, bottom = (canvas.cell(column, min(end, high)) for end in (most, least))
            for row in range(top[0], bottom[0] + 1) if top and bottom else ():
                canvas.rows[row][column] = "░"
        if mean <= high:
            canvas.put("●", column, mean)
    body = canvas.lines({0: f"{high:.3g}", HEIGHT - 1: f"{low:.3g}", HEIGHT // 2: "loss"}, LEFT)
    pad = " " * (LEFT + 1)
    foot = [f"{pad}└{'─' * WIDTH}", f"{pad} {_decades(found.curve)}"]
    foot += [f"{pad} {_bracket(found.curve, found.window)}"] if found.window else []
    return "\n".join(line.rstrip() for line in (*body, *foot))


def _columns(curve: Curve) -> Iterator[tuple[int, float, float, float]]:
    """Yield each column that has any rate, and the mean, lowest and highest loss there."""
    gathered: dict[int, list[tuple[float, float, float]]] = {}
    for rate, *losses in zip(curve.rates, curve.mean, curve.low, curve.high, strict=False):
        gathered.setdefault(_column(curve, rate), []).append((losses[0], losses[1], losses[2]))
    for column, some in gathered.items():
        mean, low, high = zip(*some, strict=True)
        yield column, sum(mean) / len(mean), min(low), max(high)


def _column(curve: Curve, rate: float) -> int:
    """Return the column of a rate; of one outside the frame, the nearest."""
    first, last = curve.rates[0], curve.rates[-1]
    place = math.log(rate / first) / math.log(last / first)
    return round(min(max(place, 0.0), 1.0) * (WIDTH - 1))


def _decades(curve: Curve) -> str:
    line = [" "] * (WIDTH + 3)
    first, last = math.log10(curve.rates[0]), math.log10(curve.rates[-1])
    for power in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1):
        text = f"{10.0**power:g}".replace("e-0", "e-")
        start = min(max(0, _column(curve, 10.0**power) - len(text) // 2), len(line) - len(text))
        line[start : start + len(text)] = text
    return "".join(line)


def _bracket(curve: Curve, window: Window) -> str:
    low, centre, high = (_column(curve, rate) for rate in (window.low, window.centre, window.high))
    line = [" "] * low + ["─"] * (high - low + 1)
    line[low], line[high] = "├", "┤"
    line[centre] = "┼"
    return "".join(line)
