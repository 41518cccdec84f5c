"""The page of a range test: one HTML file without scripts, with figures as SVG.

There is nothing to switch here, so the page does without the browser's Vega that the comparison's report carries. The
look is the report's: its style sheet, and its colours, which dark mode replaces. A terminal has the same curve as a
line, a band and the window, without colour.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from surefoot import __version__
from surefoot.explain.path import Canvas
from surefoot.files import write_whole
from surefoot.range_test.window import Curve, RangeFinding, Window, frame
from surefoot.range_test.words import DRAWN, IS_NOT, TO_USE, result
from surefoot.report.axes import Axis, linear_axis, log_axis
from surefoot.report.figure import Panel, ReportFigure, chart_of, svg
from surefoot.report.page import TEMPLATES
from surefoot.report.theme import MUTED, Style, dark_partners, styles
from surefoot.webpage import template

WIDTH, HEIGHT = 66, 14
LEFT = 10
LEGEND = "● mean over seeds   ░ lowest to highest seed   ├─┼─┤ window and its centre"


def write_range_page(found: Sequence[RangeFinding], path: str | Path, study: str, about: str) -> Path:
    """Write the page and return its path.

    Args:
        found: what the test of each optimizer shows.
        path: the file to write; an existing one is replaced.
        study: what was trained.
        about: what was done, in words.

    Raises:
        UsageError: a path that cannot be a file.
        SurefootError: the file cannot be written.
    """
    looks = styles(one.label for one in found)
    drawn = [(one, result(one), svg(figure(one, look))) for one, look in zip(found, looks, strict=True)]
    page = template("range.html.j2", ("surefoot.range_test", "templates"), TEMPLATES).render(
        study=study, drawn=drawn, texts=(about, DRAWN, IS_NOT, TO_USE), dark=dark_partners(), version=__version__
    )
    return write_whole(path, page)


def figure(one: RangeFinding, look: Style) -> ReportFigure:
    """Return the curve of one optimizer: every seed, their mean and band, and the window shaded."""
    curve, (low, high) = one.curve, frame(one.curve)
    along = log_axis("learning rate (logarithmic)", (curve.rates[0], curve.rates[-1]))
    up = linear_axis("training loss", (low - (high - low) * 0.04, high))
    means = zip(curve.rates, curve.mean, curve.low, curve.high, strict=False)
    datasets = {
        "mean": [{"rate": rate, "mean": mean, "low": low, "high": high} for rate, mean, low, high in means],
        "seeds": [
            {"seed": seed, "rate": rate, "loss": loss}
            for seed, losses in curve.seeds.items()
            for rate, loss in zip(curve.rates, losses, strict=False)
        ],
    }
    layers = [*(_shaded(one.window, curve, along) if one.window else ()), *_lines(look, along, up)]
    panel = Panel("", alt.LayerChart(layer=layers))
    return ReportFigure("lr-find", "Training loss by learning rate", DRAWN, (panel,), datasets, columns=1, legend=False)


def _lines(look: Style, along: Axis, up: Axis) -> list[alt.Chart]:
    mean, seeds = chart_of("mean").encode(along.x("rate")), chart_of("seeds").encode(along.x("rate"))
    band = mean.mark_area(color=look.colour, opacity=0.18, clip=True)
    thin = seeds.mark_line(color=look.colour, opacity=0.45, strokeWidth=0.8, clip=True)
    line = mean.mark_line(color=look.colour, strokeWidth=2.4, clip=True)
    return [
        band.encode(up.y("low"), alt.Y2("high")),
        thin.encode(up.y("loss"), detail="seed:N"),
        line.encode(up.y("mean")),
    ]


def _shaded(window: Window, curve: Curve, along: Axis) -> list[alt.Chart]:
    """Return the window, as far as it is within the axis, and its centre."""
    first, last = curve.rates[0], curve.rates[-1]
    row: dict[str, Any] = {"low": max(window.low, first), "high": min(window.high, last), "centre": window.centre}
    base = alt.Chart(alt.InlineData(values=[row]))
    area: alt.Chart = base.mark_rect(color=MUTED, opacity=0.14).encode(along.x("low"), alt.X2("high"))
    centre: alt.Chart = base.mark_rule(color=MUTED, strokeDash=[4, 3]).encode(along.x("centre"))
    return [area, centre]


def plot(found: RangeFinding) -> str:
    """Return the picture, at most 80 columns wide: ● mean, ░ from the lowest to the highest seed, ├─┼─┤ the window."""
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
