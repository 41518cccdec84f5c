"""The curve of a learning-rate range test in a terminal: a line, a band and the window, without colour."""

from __future__ import annotations

import math

from surefoot.lr_find.window import Finding, Window, frame

WIDTH, HEIGHT = 66, 14
LEFT = 10
LEGEND = "● mean over seeds   ░ lowest to highest seed   ├─┼─┤ window and its centre"


def plot(found: Finding) -> str:
    """Return the picture, 80 columns wide or less: ● mean, ░ from the lowest to the highest seed, ├─┼─┤ the window."""
    low, high = frame(found.curve)
    rows = [[" "] * WIDTH for _ in range(HEIGHT)]
    for column, (mean, least, most) in _columns(found).items():
        if least <= high:
            for row in range(_row(min(most, high), low, high), _row(least, low, high) + 1):
                rows[row][column] = "░"
        if mean <= high:
            rows[_row(mean, low, high)][column] = "●"
    labels = {0: f"{high:.3g}", HEIGHT - 1: f"{low:.3g}", HEIGHT // 2: "loss"}
    body = [f"{labels.get(place, ''):>{LEFT}} │{''.join(row)}".rstrip() for place, row in enumerate(rows)]
    pad = " " * (LEFT + 1)
    foot = [f"{pad}└{'─' * WIDTH}", f"{pad} {_decades(found)}".rstrip()]
    return "\n".join([*body, *foot, *([f"{pad} {_bracket(found, found.window)}".rstrip()] if found.window else [])])


def _columns(found: Finding) -> dict[int, tuple[float, float, float]]:
    """Return mean, lowest and highest loss of each column that has any."""
    curve = found.curve
    gathered: dict[int, list[tuple[float, float, float]]] = {}
    for rate, mean, low, high in zip(curve.rates, curve.mean, curve.low, curve.high, strict=False):
        gathered.setdefault(_column(found, rate), []).append((mean, low, high))
    return {
        column: (sum(m for m, _, _ in some) / len(some), min(low for _, low, _ in some), max(h for _, _, h in some))
        for column, some in gathered.items()
    }


def _column(found: Finding, rate: float) -> int:
    """Return the column of a rate; of one outside the frame, the nearest."""
    first, last = found.curve.rates[0], found.curve.rates[-1]
    place = math.log(rate / first) / math.log(last / first)
    return round(min(max(place, 0.0), 1.0) * (WIDTH - 1))


def _row(loss: float, low: float, high: float) -> int:
    return round((high - loss) / (high - low) * (HEIGHT - 1))


def _decades(found: Finding) -> str:
    first, last = found.curve.rates[0], found.curve.rates[-1]
    line = [" "] * (WIDTH + 3)
    for power in range(math.ceil(math.log10(first) - 1e-9), math.floor(math.log10(last) + 1e-9) + 1):
        text = f"{10.0**power:g}".replace("e-0", "e-")
        start = min(max(0, _column(found, 10.0**power) - len(text) // 2), len(line) - len(text))
        line[start : start + len(text)] = text
    return "".join(line)


def _bracket(found: Finding, window: Window) -> str:
    low, centre, high = (_column(found, rate) for rate in (window.low, window.centre, window.high))
    line = [" "] * low + ["─"] * (high - low + 1)
    line[low], line[high] = "├", "┤"
    line[centre] = "┼"
    return "".join(line)
