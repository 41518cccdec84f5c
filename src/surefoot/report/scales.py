"""Axes: logarithmic ones with ticks at 1, 2 and 5, linear ones, and the kinds of label that figures need.

Losses, errors and rates span decades. Vega's own log ticks are either too many or too few, so the ticks are chosen
here. A share of which more is better is drawn as what it lacks, on a reversed axis that is labelled as the share: on
the logarithmic one 98 % and 99 % are as far apart as they are in errors made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from math import ceil, floor, isfinite, log10
from typing import Any

import altair as alt

ERROR = "format(100 * datum.value, '~g') + ' %'"
SHARE = "format(100 - 100 * datum.value, '.6~r') + ' %'"
NUMBER = (
    "datum.value != 0 && (abs(datum.value) < 1e-4 || abs(datum.value) >= 1e6)"
    " ? replace(format(datum.value, '.6~e'), '+', '') : format(datum.value, ',.6~r')"
)
"""Digits as long as they are short, then as they are typed: 250, 20,000 and 1e6. A d3 format of the axis itself would
be given the precision of its ticks, and write 2.5e+2.
"""

FINER = ((1, 2, 5), (1, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9))
FEWEST_TICKS = 4
MOST_COUNTED = 10
"""Ticks of an axis that counts."""


@dataclass(frozen=True)
class Axis:
    """Scale and axis of one direction, shared by every field that is drawn along it."""

    scale: alt.Scale
    axis: alt.Axis

    def x(self, field: str) -> alt.X:
        """A field along the horizontal axis."""
        return alt.X(f"{field}:Q", scale=self.scale, axis=self.axis)

    def y(self, field: str) -> alt.Y:
        """A field along the vertical axis."""
        return alt.Y(f"{field}:Q", scale=self.scale, axis=self.axis)

    def patch(self, field: str | None = None) -> dict[str, Any]:
        """What a switch of the page puts in the place of an encoding's scale and axis, and of its field if given."""
        changed: dict[str, Any] = {"scale": self.scale.to_dict(), "axis": self.axis.to_dict()}
        return changed | ({"field": field} if field else {})


@dataclass(frozen=True)
class Axes:
    """The axes that several panels share."""

    x: Axis
    y: Axis


def log_domain(values: Iterable[float | None], pad: float = 1.12) -> tuple[float, float]:
    """The range of the positive finite values, widened by the factor `pad`; a decade around 1 when there are none."""
    known = [value for value in values if value is not None and isfinite(value) and value > 0]
    low, high = (min(known), max(known)) if known else (0.3, 3.0)
    if high < low * 1.5:
        low, high = low / 1.4, high * 1.4
    return low / pad, high * pad


def linear_domain(values: Iterable[float | None], pad: float = 0.06) -> tuple[float, float]:
    """The range of the finite values, widened by the share `pad` on either side; 0 to 1 when there are none."""
    known = [value for value in values if value is not None and isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    margin = pad * (high - low) if high > low else max(0.05 * abs(high), 1e-3)
    return low - margin, high + margin


def ticks(domain: tuple[float, float]) -> list[float]:
    """Ticks at 1, 2, 5 times powers of ten inside the domain, and at more where those are fewer than four; powers of
    ten alone over more than three decades, and every second or third of those over more than eight.
    """
    low, high = domain
    first, last = floor(log10(low)), ceil(log10(high))
    span = last - first
    decades = range(first, last + 1, 1 + span // 9)
    choices = FINER if log10(high / low) <= 3 else ((1,),)
    found: list[float] = []
    for steps in choices:
        every = (float(f"{step}e{power}") for power in decades for step in steps)
        found = [tick for tick in every if low <= tick <= high]
        if len(found) >= FEWEST_TICKS:
            break
    return found


def log_axis(title: str, domain: tuple[float, float], *, label: str | None = None, reverse: bool = False) -> Axis:
    """A logarithmic axis; `label` is the Vega expression of a tick's text, by default the number."""
    scale = alt.Scale(type="log", domain=list(domain), nice=False, reverse=reverse)
    return Axis(scale, alt.Axis(title=title, values=ticks(domain), **_text(label)))


def linear_axis(title: str, domain: tuple[float, float], *, label: str | None = None, reverse: bool = False) -> Axis:
    """A linear axis; `label` as in `log_axis`."""
    scale = alt.Scale(type="linear", domain=list(domain), nice=False, zero=False, reverse=reverse)
    return Axis(scale, alt.Axis(title=title, tickCount=6, **_text(label)))


def counting_axis(title: str, domain: tuple[float, float]) -> Axis:
    """A linear axis of whole numbers, such as epochs or trials."""
    low, high = domain
    step = next(step for step in _round_steps() if (high - low) / step < MOST_COUNTED)
    whole = list(range(ceil(low / step) * step, floor(high) + 1, step))
    scale = alt.Scale(type="linear", domain=[low, high] if high > low else [low - 1, low + 1], padding=10, nice=False)
    return Axis(scale, alt.Axis(title=title, values=whole, format=",d", grid=False))


def _round_steps() -> Iterator[int]:
    """1, 2, 5, 10, 20 and so on."""
    return (step * 10**power for power in count() for step in (1, 2, 5))


def _text(label: str | None) -> dict[str, Any]:
    return {"labelExpr": label or NUMBER}
