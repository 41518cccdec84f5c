"""A figure: panels side by side with a title and a caption, as one Vega-Lite specification.

The page shows the panels of the same specification one by one, so that they wrap on a phone. It sets title, caption and
legend as text. An exported file is one picture of all panels, and its note says what the marks are.

A figure of a large study carries enough to look the same, and says what it leaves out. 400 pixels show no more than
some hundred points of a line, and a browser takes seconds for ten thousand marks. Means and intervals are made from all
trials. Only drawn points are thinned, evenly, with the first and the last among them.
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
"""The size of a panel in a file, in pixels. On the page a panel is as wide as its box."""

ALONE = 430
"""The width of a panel that is drawn into a page without scripts."""

FILE_COLUMNS = 2
"""The most panels side by side in a file. It is shown in a column of text, where three would be too small."""

NOTE_WIDTH = 52
"""The characters of a note's line, for each panel below it."""

LINE = 120
"""The most points of one line."""

MARKS = 2000
"""The most marks of one figure."""

Rows = list[dict[str, Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class Switch:
    """A choice above a figure of the page: its name, the words before it, the options and the first pick."""

    name: str
    legend: str
    options: tuple[str, ...]
    chosen: str


@dataclass(frozen=True)
class View:
    """The encodings of a panel, by channel, while the switches stand as in `when`."""

    when: Mapping[str, str]
    patch: Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """One chart of a figure with its heading, and what switches make of it. A heading may be a user's text."""

    title: str
    chart: alt.LayerChart
    views: tuple[View, ...] = ()

    def spec(self) -> dict[str, Any]:
        """Return the chart as a Vega-Lite specification, in the size that it has in a file."""
        sized = self.chart.properties(title=self.title, width=WIDTH, height=HEIGHT)
        chart = sized.to_dict(validate=False)  # Validating takes half of a report's time; the tests do it.
        return {key: value for key, value in chart.items() if key not in ("$schema", "config")}


@dataclass(frozen=True)
class ReportFigure:
    """Panels with a title and a caption. Without panels there is nothing to show yet.

    Attributes:
        name: stem of exported files.
        title: heading.
        caption: what to see, in two sentences at most.
        panels: charts with their headings.
        datasets: rows, by the names that the charts use.
        columns: number of panels side by side.
        legend: whether they need the colour legend.
        switches: choices on the page; a file shows the first pick of each.
        note: what marks and bands are, for a file.
        how: what was drawn and how it is computed; the page shows it on demand.
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
        """Return the whole figure as a Vega-Lite specification that refers to nothing outside itself."""
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
    """Return an empty chart of one of the figure's datasets, by name: Altair copies what a chart holds many times."""
    return alt.Chart(alt.NamedData(name=data))


def colour(looks: Sequence[Style]) -> alt.Color:
    """Return the colour of an optimizer, from the field `optimizer`."""
    return alt.Color("optimizer:N", scale=_scale(looks, [look.colour for look in looks]))


def shape(looks: Sequence[Style]) -> alt.Shape:
    """Return the point shape of an optimizer."""
    return alt.Shape("optimizer:N", scale=_scale(looks, [look.shape for look in looks]))


def dash(looks: Sequence[Style]) -> alt.StrokeDash:
    """Return the line style of an optimizer."""
    return alt.StrokeDash("optimizer:N", scale=_scale(looks, [list(look.dash) for look in looks]))


def steps(data: str, looks: Sequence[Style], x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip]) -> list[alt.Chart]:
    """Return a staircase for each optimizer, with points as in `lines`. A height holds to the right of its point."""
    base = chart_of(data).encode(x, y, colour(looks))
    stairs = base.mark_line(strokeWidth=2, interpolate="step-after", invalid="filter", clip=True).encode(dash(looks))
    marks = base.mark_point(size=34, filled=True, opacity=1, invalid="filter", clip=True)
    return [stairs, marks.encode(shape(looks), tooltip=tooltip).transform_filter("datum.mark")]


def lines(data: str, looks: Sequence[Style], x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip]) -> list[alt.Chart]:
    """Return a line for each optimizer, with a point for each value; one whose `mark` is false is unseen."""
    base = chart_of(data).encode(x, y, colour(looks))
    seen = alt.condition("datum.mark !== false", alt.value(1), alt.value(0))
    marks = base.mark_point(size=38, filled=True, clip=True).encode(shape(looks), opacity=seen, tooltip=tooltip)
    return [base.mark_line(strokeWidth=2, clip=True).encode(dash(looks)), marks]


def _scale(looks: Sequence[Style], values: list[Any]) -> alt.Scale:
    return alt.Scale(domain=[look.label for look in looks], range=values)


def svg(drawn: ReportFigure) -> Markup:
    """Return a figure for a page without scripts: wider, and without its title, which the page sets as text."""
    spec = drawn.spec()
    del spec["title"]
    for panel in spec["concat"]:
        panel["width"] = ALONE
    picture: str = vl_convert.vegalite_to_svg(spec)
    return Markup(picture)


def thinned(items: Sequence[T], most: int) -> list[T]:
    """Return at most this many items, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    if most < 2:
        return list(items[-most:]) if most else []
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def left_out(shown: int, of: int, what: str) -> Iterator[str]:
    """Yield the sentence that says what is not drawn; none if all is."""
    if shown < of:
        yield f"Drawn are {shown:,} of {of:,} {what}, evenly chosen; all are in the raw data."
