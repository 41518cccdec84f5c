"""Colours and line styles: one look for an optimizer in every figure, in light, in dark and on paper.

Charts are drawn once, in the light colours. In dark mode the page's style sheet replaces each colour by its partner
below (`svg [stroke="#0072B2"] {stroke: ...}`). So switching needs no redrawing, printing is light, and a saved figure
has the light colours that a paper wants. The palette is Okabe and Ito's, with a darker purple, and brown for the yellow
that white paper swallows. The strongest come first. Shapes repeat what colours say, and from the ninth optimizer on
lines are dashed. An optimizer and its tuned self share a colour; the untuned one is dashed and has another shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PALETTE = (
    ("#0072B2", "#4F9FE0"),
    ("#D55E00", "#FF8A3D"),
    ("#009E73", "#22C79A"),
    ("#B8478F", "#E58AC4"),
    ("#222222", "#F2F2F2"),
    ("#56B4E9", "#9AD8FF"),
    ("#E69F00", "#F5D547"),
    ("#7A4A2B", "#B98A68"),
)

TEXT, MUTED, GRID, PAPER = "#2A2D34", "#5B616E", "#E1E4EA", "#FFFFFF"
LOST = "#C62828"
"""The red of a cross where a trial diverged."""

INK = ((TEXT, "#E6E8EC"), (MUTED, "#A3A9B6"), (GRID, "#353A45"), (PAPER, "#1C1F26"), (LOST, "#FF6B6B"))

# Paths within -1..1, as Vega scales them and as the page's legend draws them.
SHAPES = (
    "M0,-1A1,1,0,1,1,0,1A1,1,0,1,1,0,-1Z",
    "M-.9,-.9H.9V.9H-.9Z",
    "M0,-1.1L1.1,.9H-1.1Z",
    "M0,-1.25L1.25,0L0,1.25L-1.25,0Z",
    "M-.35,-1.1H.35V-.35H1.1V.35H.35V1.1H-.35V.35H-1.1V-.35H-.35Z",
    "M0,1.1L1.1,-.9H-1.1Z",
    "M-1,-1L1,1V-1L-1,1Z",
    "M0,-1.1L1.1,-.2L.7,1H-.7L-1.1,-.2Z",
)
CROSS = "M-1,-1L1,1M-1,1L1,-1"
"""The cross where a trial diverged."""
DASHES = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2))


@dataclass(frozen=True)
class Style:
    """The look of one optimizer in every figure."""

    label: str
    colour: str
    shape: str
    dash: tuple[int, ...]


def styles(labels: Iterable[str], pairs: Mapping[str, str] | None = None) -> tuple[Style, ...]:
    """Return a style for each label, by its place in the study. `pairs` has the untuned label of each tuned one."""
    names = list(labels)
    partner = {untuned: tuned for tuned, untuned in (pairs or {}).items() if {tuned, untuned} <= {*names}}
    places = {name: place for place, name in enumerate(name for name in names if name not in partner)}
    turn = len(PALETTE) * -(-len(places) // len(PALETTE))
    slots = (turn + places[partner[name]] if name in partner else places[name] for name in names)
    return tuple(_style(name, *divmod(slot, len(PALETTE))) for name, slot in zip(names, slots, strict=True))


def dark_partners() -> tuple[tuple[str, str], ...]:
    """Return every colour of a chart with the colour that replaces it in dark mode."""
    return PALETTE + INK


def config(*, legend: bool, columns: int = 4) -> dict[str, Any]:
    """Return Vega-Lite's look for all figures: quiet axes, no frame, text in two greys, a legend or none."""
    text = {"labelColor": MUTED, "titleColor": TEXT, "labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": 500}
    lines = {"gridColor": GRID, "domainColor": MUTED, "tickColor": MUTED}
    below = {"orient": "bottom", "columns": columns, "labelLimit": 190, "title": None}
    symbols = {"symbolOpacity": 1, "symbolStrokeWidth": 0}  # a line's dashes would fray its symbol
    note = {"subtitleColor": MUTED, "subtitleFontSize": 13, "subtitleLineHeight": 17}
    return {
        "background": PAPER,
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": {**text, **lines, "titlePadding": 8, "labelOverlap": True},
        "legend": {**text, **below, **symbols, "disable": not legend},
        "title": {"color": TEXT, "anchor": "start", "fontSize": 14, "offset": 8, "limit": 400, **note},
    }


def _style(label: str, turn: int, slot: int) -> Style:
    return Style(label, PALETTE[slot][0], SHAPES[(slot + turn) % len(SHAPES)], DASHES[turn % len(DASHES)])
