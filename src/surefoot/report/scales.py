"""Logarithmic axes with ticks at 1, 2 and 5, and the accuracy axis that stretches towards 100 %.

Losses, errors and rates span decades. Vega's own log ticks are either too many or too few, so the ticks are chosen
here. An accuracy is drawn as its error on a reversed logarithmic axis and labelled as accuracy: 98 % and 99 % are as
far apart as they are in errors made.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor, isfinite, log10

import altair as alt

SMALLEST_LOSS = 1e-7  # as Keras clips probabilities; a logarithm needs a floor


def log_domain(values: Iterable[float | None], pad: float = 1.12) -> tuple[float, float]:
    """The range of the positive finite values, widened by the factor `pad`; a decade around 1 when there are none."""
    known = [value for value in values if value is not None and isfinite(value) and value > 0]
    low, high = (min(known), max(known)) if known else (0.3, 3.0)
    if high < low * 1.5:
        low, high = low / 1.4, high * 1.4
    return low / pad, high * pad


def ticks(domain: tuple[float, float]) -> list[float]:
    """Ticks at 1, 2, 5 times powers of ten inside the domain; powers of ten alone over more than three decades, and
    every second or third of those over more than eight.
    """
    low, high = domain
    first, last = floor(log10(low)), ceil(log10(high))
    span = last - first
    steps = (1, 2, 5) if log10(high / low) <= 3 else (1,)
    decades = range(first, last + 1, 1 + span // 9)
    return [tick for power in decades for step in steps if low <= (tick := float(f"{step}e{power}")) <= high]


def log_axis(title: str, domain: tuple[float, float]) -> tuple[alt.Scale, alt.Axis]:
    """Scale and axis for losses and rates."""
    return _scale(domain), alt.Axis(title=title, values=ticks(domain), format="~g")


def error_axis(title: str, domain: tuple[float, float]) -> tuple[alt.Scale, alt.Axis]:
    """Scale and axis for an error, labelled in per cent."""
    return _scale(domain), alt.Axis(
        title=title, values=ticks(domain), labelExpr="format(100 * datum.value, '~g') + ' %'"
    )


def accuracy_axis(title: str, domain: tuple[float, float]) -> tuple[alt.Scale, alt.Axis]:
    """Scale and axis for an error that is labelled as accuracy, best at the top."""
    label = "format(100 - 100 * datum.value, '.6~r') + ' %'"
    return _scale(domain, reverse=True), alt.Axis(title=title, values=ticks(domain), labelExpr=label)


def _scale(domain: tuple[float, float], reverse: bool = False) -> alt.Scale:
    return alt.Scale(type="log", domain=list(domain), nice=False, reverse=reverse)
