"""A figure: panels side by side with a title and a caption, as one Vega-Lite specification.

The page shows the panels of the same specification one by one, so that they wrap on a phone, and sets the title,
caption and legend as text; an exported file is one picture of all of it, with what its marks are below the title.

Of a large study it carries enough to look the same, and says what is left out: 400 pixels show no more than some
hundred points of a line, and a browser takes seconds for ten thousand marks. Means and intervals are made from all
trials; only points that are drawn are thinned, evenly, with the first and the last among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, TypeVar

import altair as alt
import vl_convert
from markupsafe import Markup

from surefoot.report.theme import Style, config
from surefoot.words import plain

WIDTH, HEIGHT = 340, 240
"""Of a panel in a file; on the page it is as wide as its box."""

ALONE = 430
"""The width of a panel that is drawn into a page without scripts."""

FILE_COLUMNS = 2
"""Most panels side by side in a file, which is shown in a column of text: three would be too small to read."""

NOTE_WIDTH = 52
"""Characters of a note that stand above one panel."""

LINE = 120
"""Most points of one line."""

MARKS = 2000
"""Most marks of one figure."""

Rows = list[dict[str, Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class Switch:
    """A choice that the page offers above a figure: its name, what stands before it, the options and the first pick."""

    name: str
    legend: str
    options: tuple[str, ...]
    chosen: str


@dataclass(frozen=True)
class View:
    """What a panel's encodings become (by channel) while the switches stand as in `when`."""

    when: Mapping[str, str]
    patch: Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """One chart of a figure under its heading (the heading may be a user's text), and what switches make of it."""

    title: str
    chart: alt.LayerChart
    views: tuple[View, ...] = ()

    def spec(self) -> dict[str, Any]:
        """The chart as a Vega-Lite specification, at the size that it has in a file."""
        sized = self.chart.properties(title=self.title, width=WIDTH, height=HEIGHT)
        chart = sized.to_dict(validate=False)  # half of a report's time; the tests validate
        return {key: value for key, value in chart.items() if key not in ("$schema", "config")}


@dataclass(frozen=True)
class ReportFigure:
    """Panels with a title, a caption (what to see, in two sentences at most) and whether they need the colour legend.

    `how` says the rest: what was drawn and how it is computed, which the page shows on demand.
    `name` is the stem of exported files; `datasets` the rows that the panels' charts name; an exported file shows the
    first pick of each of the `switches`, and the `note`: what marks and bands are. A figure without panels has nothing
    to show yet.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    datasets: Mapping[str, Rows]
    columns: int
    legend: bool
    switches: tuple[Switch, ...] = ()
    note: str = ""
    how: str = ""

    def spec(self) -> dict[str, Any]:
        """The whole figure as a Vega-Lite specification that refers to nothing outside itself."""
        charts = [panel.spec() for panel in self.panels]
        datasets = dict(self.datasets)
        for chart in charts:  # Altair moves rows that a chart holds into datasets of its own
            datasets |= chart.pop("datasets", {})
        columns = min(self.columns, FILE_COLUMNS)
        title: dict[str, Any] = {"text": self.title, "fontSize": 18, "offset": 14, "limit": 2 * WIDTH * columns}
        if self.note:
            title["subtitle"] = wrap(self.note, NOTE_WIDTH * columns)
        look = config(legend=self.legend, columns=2 * columns)
        spec = {"title": title, "concat": charts, "columns": columns, "datasets": datasets, "config": look}
        if self.switches:
            spec["usermeta"] = {"views": [panel.views for panel in self.panels]}
        flat: dict[str, Any] = plain(spec)
        return flat


def chart_of(data: str) -> alt.Chart:
    """An empty chart of one of the figure's datasets; by name, since Altair copies what a chart holds many times."""
    return alt.Chart(alt.NamedData(name=data))


def colour(looks: Sequence[Style]) -> alt.Color:
    """The colour of an optimizer, from the field `optimizer`."""
    return alt.Color("optimizer:N", scale=_scale(looks, [look.colour for look in looks]))


def shape(looks: Sequence[Style]) -> alt.Shape:
    """The point shape of an optimizer."""
    return alt.Shape("optimizer:N", scale=_scale(looks, [look.shape for look in looks]))


def dash(looks: Sequence[Style]) -> alt.StrokeDash:
    """The line style of an optimizer."""
    return alt.StrokeDash("optimizer:N", scale=_scale(looks, [list(look.dash) for look in looks]))


def steps(data: str, looks: Sequence[Style], x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip]) -> list[alt.Chart]:
    """A staircase for each optimizer, whose height holds to the right of each point, and points as in `lines`."""
    base = chart_of(data).encode(x, y, colour(looks))
    stairs = base.mark_line(strokeWidth=2, interpolate="step-after", invalid="filter", clip=True).encode(dash(looks))
    marks = base.mark_point(size=34, filled=True, opacity=1, invalid="filter", clip=True)
    return [stairs, marks.encode(shape(looks), tooltip=tooltip).transform_filter("datum.mark")]


def lines(data: str, looks: Sequence[Style], x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip]) -> list[alt.Chart]:
    """A line for each optimizer and a point for each value, which answers to the pointer; unseen if `mark` is false."""
    base = chart_of(data).encode(x, y, colour(looks))
    seen = alt.condition("datum.mark !== false", alt.value(1), alt.value(0))
    marks = base.mark_point(size=38, filled=True, clip=True).encode(shape(looks), opacity=seen, tooltip=tooltip)
    return [base.mark_line(strokeWidth=2, clip=True).encode(dash(looks)), marks]


def _scale(looks: Sequence[Style], values: list[Any]) -> alt.Scale:
    return alt.Scale(domain=[look.label for look in looks], range=values)


def svg(drawn: ReportFigure) -> Markup:
    """Draw a figure for a page without scripts: without its title, which the page sets as text, and wider, alone."""
    spec = drawn.spec()
    del spec["title"]
    for panel in spec["concat"]:
        panel["width"] = ALONE
    picture: str = vl_convert.vegalite_to_svg(spec)
    return Markup(picture)


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
