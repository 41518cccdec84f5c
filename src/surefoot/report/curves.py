"""Curves of loss and metric in training and validation, with the test at the end.

They run against epochs, steps or seconds. With several seeds, a line is the mean over finished trials. Its band is the
95 % interval of that mean. With fewer than four seeds that would fill the picture, so the band runs from the lowest to
the highest seed. Trials that diverged or have not finished would change the mean where they stop: each is a thin dotted
line of its own. Training and validation share their scale, which shows the gap between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import altair as alt

from surefoot.analysis import Setting
from surefoot.report.axes import Axis, Growth
from surefoot.report.clocks import EPOCHS, TimeAxis, clock_switch, clocks
from surefoot.report.curve_rows import DIVERGED_OR_RUNNING, PARTS, heights, interval_is_drawn, quantities, rows_of
from surefoot.report.figure import Panel, ReportFigure, Rows, Switch, View, chart_of, colour, left_out, lines, shape
from surefoot.report.quantity import Quantity
from surefoot.report.reference import PublishedCurve
from surefoot.report.theme import CROSS, TEXT, Style

TIMES: tuple[Growth, ...] = ("linear", "log")
NAMES = {"train": "Training", "validation": "Validation"}
CAPTION = (
    "What to see: which line falls first, where it levels off, and whether validation follows. Against seconds, a "
    "costly step moves a line to the right."
)
HOW = (
    "Training figures are means over the batches since the point before, while the weights were moving, so they lag "
    "behind. Validation figures are of the point itself."
)
STRETCHED = "On the log axis of {0}, equal steps are equal factors in errors made."
PUBLISHED = "Dashed lines with diamonds: published numbers."


@dataclass(frozen=True)
class Look:
    """The styles, rows, clocks and axes that all panels share."""

    styles: Sequence[Style]
    data: Mapping[str, Rows]
    clocks: Sequence[TimeAxis]
    clock: TimeAxis
    quantities: Mapping[str, Quantity]
    axes: Mapping[str, Mapping[Growth, Axis]]

    def times(self, clock: TimeAxis, growth: Growth) -> Axis:
        """Return the horizontal axis."""
        return clock.axis((row.get(clock.field) for rows in self.data.values() for row in rows), growth)


def curves(
    arms: Sequence[Setting],
    looks: Sequence[Style],
    clock: TimeAxis | None = None,
    references: Sequence[PublishedCurve] = (),
) -> ReportFigure:
    """Return two panels for each quantity: training and validation.

    A file shows them against `clock`, by default the one that people count in. The page offers every clock.
    """
    data, singles = rows_of(arms, references)
    kinds = quantities(arms)
    axes = {kind: quantity.axes(heights(arms, data, kind)) for kind, quantity in kinds.items()}
    known = clocks(arms[0].trials[0].protocol) if arms else (EPOCHS,)
    clock = clock or known[0]
    look = Look(looks, {name: rows for name, rows in data.items() if rows}, known, clock, kinds, axes)
    some, drawn = data["averaged"] or data["single"], list(_how_drawn(arms, look))
    growths = [
        Switch(kind, f"{kinds[kind].heading} axis", tuple(choice), next(iter(choice)))
        for kind, choice in axes.items()
        if len(choice) > 1
    ]
    stretched = [STRETCHED.format(quantity.title) for quantity in kinds.values() if quantity.is_reversed]
    return ReportFigure(
        name=f"curves-{clock.field}",
        title=f"{' and '.join(['Loss', *(kinds[kind].title for kind in kinds if kind != 'loss')])} while training",
        caption=CAPTION,
        panels=tuple(_panel(part, kind, look) for kind, part in product(kinds, PARTS) if _is_told(part, kind, look))
        if some
        else (),
        datasets=look.data,
        columns=2,
        legend=True,
        switches=(clock_switch(known, clock), Switch("time", "Time axis", TIMES, "linear"), *growths),
        note=" ".join(drawn),
        how=" ".join([*drawn, HOW, *stretched, *left_out(*singles, "single trials")]),
    )


def _how_drawn(arms: Sequence[Setting], look: Look) -> Iterator[str]:
    """Yield what lines, bands and points are, for a picture without a page around it."""
    seeds = max((len(arm.finished) for arm in arms), default=0)
    if seeds > 1:
        band = "the 95 % interval of that mean" if interval_is_drawn(arms) else "from the lowest to the highest seed"
        yield f"Line: mean over up to {seeds:,} seeds; band: {band}."
    if look.data.get("tested"):
        yield "Hollow symbols: the mean test figure, measured once at the end."
    if look.data.get("single"):
        yield DIVERGED_OR_RUNNING
    if look.data.get("published"):
        yield PUBLISHED


def _is_told(part: str, kind: str, look: Look) -> bool:
    """Return whether there is anything to show. A training function has no training metric, and may report no loss."""
    measure = f"{part}_{kind}_y"
    return any(row.get(measure) is not None for rows in look.data.values() for row in rows)


def _panel(part: str, kind: str, look: Look) -> Panel:
    quantity, choice = look.quantities[kind], look.axes[kind]
    layers = _layers(part, kind, look, next(iter(choice.values())))
    over = [
        View({"clock": clock.word, "time": growth}, {"x": look.times(clock, growth).patch(clock.field)})
        for clock, growth in product(look.clocks, TIMES)
    ]
    up = [View({kind: growth}, {"y": axis.patch()}) for growth, axis in choice.items()]
    return Panel(f"{NAMES[part]} {quantity.title}", alt.LayerChart(layer=list(layers)), (*over, *up))


def _layers(part: str, kind: str, look: Look, up: Axis) -> Iterator[alt.Chart]:
    measure, quantity, styles = f"{part}_{kind}", look.quantities[kind], look.styles
    x, y = look.times(look.clock, "linear").x(look.clock.field), up.y(f"{measure}_y")
    value = alt.Tooltip(f"{measure}:Q", title=f"{NAMES[part].lower()} {quantity.title}", format=quantity.format)
    tested = alt.Tooltip(f"{measure}:Q", title=f"test {quantity.title}", format=quantity.format)
    averaged = look.data.get("averaged", [])
    if any(point["seeds"] > 1 for point in averaged):
        band = chart_of("averaged").mark_area(opacity=0.18, clip=True)
        yield band.encode(x, up.y(f"{measure}_low"), alt.Y2(f"{measure}_high"), colour(styles))
    if averaged:
        yield from lines("averaged", styles, x, y, _tooltip(value, look, "seeds"))
    if "single" in look.data:
        yield from _dotted(styles, x, y, _tooltip(value, look, "seed"))
    if "tested" in look.data and part == "validation":
        ring = chart_of("tested").mark_point(size=130, filled=False, opacity=1, strokeWidth=2, clip=True)
        yield ring.encode(x, y, colour(styles), shape(styles), tooltip=_tooltip(tested, look, "seeds"))
    if any(f"{measure}_y" in row for row in look.data.get("published", [])):
        yield from _published(measure, quantity, x, y, look.styles)


def _published(measure: str, quantity: Quantity, x: alt.X, y: alt.Y, styles: Sequence[Style]) -> Iterator[alt.Chart]:
    """Yield published curves in the colour of their optimizer, or grey without one."""
    rows = chart_of("published").transform_filter(f"isValid(datum.{measure}_y)")
    labels, colours = [style.label for style in styles], [style.colour for style in styles]
    scale = alt.Scale(domain=[*labels, ""], range=[*colours, TEXT])
    base = rows.encode(x, y, detail="label:N", stroke=alt.Stroke("optimizer:N", scale=scale, legend=None))
    tooltip = [
        alt.Tooltip("label:N", title="published"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip(f"{measure}:Q", title="value", format=quantity.format),
        alt.Tooltip("source:N"),
    ]
    yield base.mark_line(strokeWidth=1.3, strokeDash=[4, 3], clip=True)
    yield base.mark_point(shape="diamond", size=80, filled=False, strokeWidth=1.6, clip=True).encode(tooltip=tooltip)


def _dotted(styles: Sequence[Style], x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip]) -> list[alt.Chart]:
    base = chart_of("single").encode(x, y, colour(styles), detail="seed:N", tooltip=tooltip)
    ends = base.transform_filter("datum.end")
    return [
        base.mark_line(strokeWidth=1.2, strokeDash=[2, 3], clip=True),
        base.mark_circle(size=14, clip=True),
        ends.mark_point(shape=CROSS, size=70, strokeWidth=2, clip=True),
    ]


def _tooltip(value: alt.Tooltip, look: Look, seed: str) -> list[alt.Tooltip]:
    times = [alt.Tooltip(f"{clock.field}:Q", title=clock.title, format=",.6~r") for clock in look.clocks]
    return [alt.Tooltip("optimizer:N"), *times, value, alt.Tooltip(f"{seed}:Q")]
