"""The picture of a benchmark: bars of step times by set and case, with each case's floor as a line.

All bars of a set share one linear scale, which ends at a few times the floor, so that what is close to it can be told
apart, and not before the fastest of the cases: a longer bar is cut off, and an arrow behind its label says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import altair as alt
import vl_convert

from surefoot.bench.result import BenchResult, BenchRow, SetResult, milliseconds
from surefoot.errors import UsageError, unknown
from surefoot.files import write_whole
from surefoot.report.theme import MUTED, PALETTE, TEXT, config

FORMATS = ("svg", "png")

WIDTH, BAR = 330, 15

COLOURS = {
    "surefoot": PALETTE[0][0],
    "torch": PALETTE[1][0],
    "pytorch_optimizer": PALETTE[6][0],
    "optax": PALETTE[2][0],
    **dict.fromkeys(("lion_pytorch", "schedulefree", "prodigyopt"), PALETTE[3][0]),
}

END, FASTEST, ROOM = 10.0, 2.5, 1.12
"""The longest bar in multiples of the median floor or of the fastest, and room for its label."""


def check_chart(path: Path) -> None:
    """Raise `UsageError` unless the path ends like one of the formats."""
    if not path.suffix:
        raise UsageError(
            f"the chart {path} has no ending that says what to draw; give a path that ends in .svg or .png."
        )
    if path.suffix[1:].lower() not in FORMATS:
        raise unknown("chart format", path.suffix[1:], FORMATS)


def write_chart(result: BenchResult, path: Path) -> Path:
    """Write the picture and return its path.

    Args:
        result: a benchmark in which something was measured.
        path: ends in `.svg` or `.png`.
    """
    check_chart(path)
    made, svg = spec(result), path.suffix.lower() == ".svg"
    return write_whole(path, vl_convert.vegalite_to_svg(made) if svg else vl_convert.vegalite_to_png(made, scale=2))


def spec(result: BenchResult) -> dict[str, Any]:
    """Return the picture as a Vega-Lite specification."""
    timed = {row.library for entry in result.sets for row in entry.rows}
    there = [library for library in COLOURS if library in timed]
    panels = [_panel(entry, there) for entry in result.sets if entry.rows]
    title = alt.TitleParams(
        text="Step time",
        subtitle=[
            f"{result.dtype}, {result.threads} threads, {result.environment.get('processor', '')}",
            "Median of interleaved turns. Black line: moving the same",
            "bytes and computing nothing. \u2192: longer than the axis.",
        ],
        fontSize=16,
        subtitleColor=MUTED,
        subtitlePadding=5,
        offset=14,
    )
    chart = alt.concat(*panels, columns=2, title=title, spacing=40)
    made: dict[str, Any] = chart.to_dict()
    return {**made, "config": config(legend=True)}


def _panel(entry: SetResult, libraries: Sequence[str]) -> alt.FacetChart:
    floor_end = END * median(row.seconds.median / row.x_floor for row in entry.rows)
    end = 1e3 * max(floor_end, FASTEST * median(_fastest(entry)))
    groups = list(dict.fromkeys(_group(row) for row in entry.rows))
    base = alt.Chart(alt.InlineData(values=[_point(row, end) for row in entry.rows]))
    names = alt.Y("contender:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=200))
    scale = alt.Scale(domain=[0, end * ROOM], nice=False)
    length = alt.X("shown:Q", title="milliseconds", scale=scale, axis=alt.Axis(tickCount=6, format="~f"))
    colours = alt.Scale(domain=libraries, range=[COLOURS[library] for library in libraries])
    bars = base.mark_bar().encode(length, names, alt.Color("library:N", scale=colours))
    labels = base.mark_text(align="left", dx=4, fontSize=10, color=TEXT).encode(length, names, alt.Text("label:N"))
    floor = base.mark_rule(color=TEXT, strokeWidth=1.5).encode(alt.X("mean(floor):Q"))
    layers = alt.layer(bars, labels, floor).properties(width=WIDTH, height=alt.Step(BAR))
    made = layers.facet(row=alt.Row("group:N", sort=groups, title=None, header=_HEADER), spacing=4)
    title = f"{entry.name}: {entry.tensors} tensors, {entry.weights:,} weights"
    panel: alt.FacetChart = made.resolve_scale(y="independent").properties(title=title)
    return panel


_HEADER = alt.Header(
    labelOrient="top", labelAnchor="start", labelPadding=3, labelFontSize=11, labelFontWeight="bold", labelColor=TEXT
)


def _fastest(entry: SetResult) -> list[float]:
    best: dict[str, float] = {}
    for row in entry.rows:
        best[row.case] = min(row.seconds.median, best.get(row.case, row.seconds.median))
    return [*best.values()]


def _group(row: BenchRow) -> str:
    return f"{row.case}, {row.bytes_per_weight} bytes a weight"


def _point(row: BenchRow, end: float) -> dict[str, Any]:
    taken = 1e3 * row.seconds.median
    return {
        "group": _group(row),
        "contender": row.contender,
        "library": row.library,
        "shown": min(taken, end),
        "label": milliseconds(row.seconds.median) + (" \u2192" if taken > end else ""),
        "floor": taken / row.x_floor,
    }
