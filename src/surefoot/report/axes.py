"""Axes: logarithmic, linear or counting, with ticks at round numbers.

Losses, errors and rates span decades. Vega's own log ticks are too many or too few, so this file chooses them: 1, 2 and
5 times powers of ten, and more where fewer than four would show.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from math import ceil, floor, isfinite, log10
from typing import Any, Literal

import altair as alt

NUMBER = (
    "datum.value != 0 && (abs(datum.value) < 1e-4 || abs(datum.value) >= 1e6)"
    " ? replace(format(datum.value, '.6~e'), '+', '') : format(datum.value, ',.6~r')"
)
"""A tick's text: digits while they are short, then as they are typed: 250, 20,000 and 1e6.

A d3 format of the axis itself would get the precision of its ticks, and write 2.5e+2.
"""

FINER = ((1, 2, 5), (1, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9))
FEWEST_TICKS = 4
MOST_COUNTED = 10
"""The most ticks of an axis that counts."""

Growth = Literal["log", "linear"]


@dataclass(frozen=True)
class Axis:
    """Scale and axis of one direction, for every field that is drawn along it."""

    scale: alt.Scale
    axis: alt.Axis

    def x(self, field: str) -> alt.X:
        """Return a field along the horizontal axis."""
        return alt.X(f"{field}:Q", scale=self.scale, axis=self.axis)

    def y(self, field: str) -> alt.Y:
        """Return a field along the vertical axis."""
        return alt.Y(f"{field}:Q", scale=self.scale, axis=self.axis)

    def patch(self, field: str | None = None) -> dict[str, Any]:
        """Return scale, axis and field, which a switch of the page puts into an encoding."""
        changed: dict[str, Any] = {"scale": self.scale.to_dict(), "axis": self.axis.to_dict()}
        return changed | ({"field": field} if field else {})


def log_domain(values: Iterable[float | None], pad: float = 1.12) -> tuple[float, float]:
    """Return the range of the positive finite values, widened by the factor `pad`. Without any: a decade around 1."""
    low, high = _ends((value for value in values if value is not None and value > 0), (0.3, 3.0))
    if high < low * 1.5:
        low, high = low / 1.4, high * 1.4
    return low / pad, high * pad


def linear_domain(values: Iterable[float | None]) -> tuple[float, float]:
    """Return the range of the finite values, widened by 6 % on either side. Without any: 0 to 1, widened."""
    low, high = _ends(values, (0.0, 1.0))
    margin = 0.06 * (high - low) if high > low else max(0.05 * abs(high), 1e-3)
    return low - margin, high + margin


def _ends(values: Iterable[float | None], without: tuple[float, float]) -> tuple[float, float]:
    known = [value for value in values if value is not None and isfinite(value)]
    return (min(known), max(known)) if known else without


def ticks(domain: tuple[float, float]) -> list[float]:
    """Return the ticks of a logarithmic axis: 1, 2, 5 times powers of ten, denser or sparser as the domain asks."""
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
    """Return a logarithmic axis. `label` is the Vega expression of a tick's text; the default is the number."""
    scale = alt.Scale(type="log", domain=list(domain), nice=False, reverse=reverse)
    return Axis(scale, alt.Axis(title=title, values=ticks(domain), labelExpr=label or NUMBER))


def linear_axis(title: str, domain: tuple[float, float], *, label: str | None = None, reverse: bool = False) -> Axis:
    """Return a linear axis; `label` as in `log_axis`."""
    scale = alt.Scale(type="linear", domain=list(domain), nice=False, zero=False, reverse=reverse)
    return Axis(scale, alt.Axis(title=title, tickCount=6, labelExpr=label or NUMBER))


def counting_axis(title: str, domain: tuple[float, float]) -> Axis:
    """Return a linear axis of whole numbers, such as epochs or trials."""
    low, high = domain
    steps = (step * 10**power for power in count() for step in (1, 2, 5))
    step = next(step for step in steps if (high - low) / step < MOST_COUNTED)
    whole = list(range(ceil(low / step) * step, floor(high) + 1, step))
    scale = alt.Scale(type="linear", domain=[low, high] if high > low else [low - 1, low + 1], padding=10, nice=False)
    return Axis(scale, alt.Axis(title=title, values=whole, format=",d", grid=False))
