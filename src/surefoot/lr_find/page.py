"""The page of a learning-rate range test: one HTML file without scripts, its figures drawn as SVG when it is written.

There is nothing to switch here, so the page does without the browser's Vega that the comparison's report carries. The
look is the report's: its style sheet, and its colours, which dark mode replaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
from jinja2 import Environment, PackageLoader, StrictUndefined

from surefoot import __version__
from surefoot.files import write_whole
from surefoot.lr_find.window import Curve, Finding, Window, frame
from surefoot.lr_find.words import DRAWN, IS_NOT, TO_USE, result
from surefoot.report.figure import Figure, Panel, Rows, chart_of, svg
from surefoot.report.scales import Axes, linear_axis, log_axis
from surefoot.report.theme import MUTED, Style, dark_partners, styles


def write_range_page(found: Sequence[Finding], path: str | Path, study: str, about: str) -> Path:
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
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=PackageLoader("surefoot.report", "templates"),
    )
    looks = styles(one.label for one in found)
    drawn = [(one, result(one), svg(figure(one, look))) for one, look in zip(found, looks, strict=True)]
    page = environment.get_template("range.html.j2").render(
        study=study, drawn=drawn, texts=(about, DRAWN, IS_NOT, TO_USE), dark=dark_partners(), version=__version__
    )
    return write_whole(path, page)


def figure(one: Finding, look: Style) -> Figure:
    """The curve of one optimizer: every seed, their mean and band, and the window shaded."""
    low, high = frame(one.curve)
    margin = (high - low) * 0.04
    x = log_axis("learning rate (logarithmic)", (one.curve.rates[0], one.curve.rates[-1]))
    axes = Axes(x, linear_axis("training loss", (low - margin, high)))
    datasets = {"mean": _mean_rows(one.curve), "seeds": _seed_rows(one.curve)}
    layers = [*(_shaded(one.window, one.curve, axes) if one.window else ()), *_lines(look, axes)]
    panel = Panel("", alt.LayerChart(layer=layers))
    return Figure("lr-find", "Training loss by learning rate", DRAWN, (panel,), datasets, columns=1, legend=False)


def _mean_rows(curve: Curve) -> Rows:
    zipped = zip(curve.rates, curve.mean, curve.low, curve.high, strict=False)
    return [{"rate": rate, "mean": mean, "low": low, "high": high} for rate, mean, low, high in zipped]


def _seed_rows(curve: Curve) -> Rows:
    return [
        {"seed": seed, "rate": rate, "loss": loss}
        for seed, losses in curve.seeds.items()
        for rate, loss in zip(curve.rates, losses, strict=False)
    ]


def _lines(look: Style, axes: Axes) -> list[alt.Chart]:
    mean, seeds = chart_of("mean").encode(axes.x.x("rate")), chart_of("seeds").encode(axes.x.x("rate"))
    band: alt.Chart = mean.mark_area(color=look.colour, opacity=0.18, clip=True)
    return [
        band.encode(axes.y.y("low"), alt.Y2("high")),
        seeds.mark_line(color=look.colour, opacity=0.45, strokeWidth=0.8, clip=True).encode(
            axes.y.y("loss"), detail="seed:N"
        ),
        mean.mark_line(color=look.colour, strokeWidth=2.4, clip=True).encode(axes.y.y("mean")),
    ]


def _shaded(window: Window, curve: Curve, axes: Axes) -> list[alt.Chart]:
    """The window, as far as it is within the axis, and its centre."""
    first, last = curve.rates[0], curve.rates[-1]
    row: dict[str, Any] = {"low": max(window.low, first), "high": min(window.high, last), "centre": window.centre}
    base = alt.Chart(alt.InlineData(values=[row]))
    area: alt.Chart = base.mark_rect(color=MUTED, opacity=0.14).encode(axes.x.x("low"), alt.X2("high"))
    centre: alt.Chart = base.mark_rule(color=MUTED, strokeDash=[4, 3]).encode(axes.x.x("centre"))
    return [area, centre]
