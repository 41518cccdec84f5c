"""Axes for losses, metrics and times: logarithmic, linear or counting, whichever fits.

Losses, errors and rates span decades. Vega's own log ticks are too many or too few, so this file chooses them. Any loss
or metric is a `Quantity`, so no figure knows what the task measures. A share of which more is better (an accuracy) is
drawn as what it lacks to 1, on a reversed axis that is labelled as the share: on the logarithmic one 98 % and 99 % are
as far apart as they are in errors made. Anything else is drawn as it is. A logarithmic axis needs values above zero,
and for a metric that is no share they must span more than a decade.

A curve runs against epochs, optimizer steps or seconds of training; the reader of the page chooses. Steps are epochs
times the batches in one, where the protocol says how many there are. Seconds leave evaluation out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import ceil, floor, isfinite, log10
from typing import Any, Literal

import altair as alt

from surefoot.report.figure import Switch, View
from surefoot.store.protocol import Metric, Protocol
from surefoot.store.records import Epoch

ERROR = "format(100 * datum.value, '~g') + ' %'"
SHARE = "format(100 - 100 * datum.value, '.6~r') + ' %'"
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

SMALLEST_LOSS = 1e-7  # as Keras clips probabilities; a logarithm needs a floor
SMALLEST_ERROR = 1e-5
DIGITS = 6

Growth = Literal["log", "linear"]

Field = Literal["epoch", "step", "seconds"]


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


@dataclass(frozen=True)
class Quantity:
    """A loss or a metric, under the title of its axis. `metric` is None for a loss."""

    title: str
    metric: Metric | None = None

    @property
    def is_share(self) -> bool:
        """Whether it is written in per cent."""
        return self.metric is not None and self.metric.share

    @property
    def is_reversed(self) -> bool:
        """Whether the drawn height is what the value lacks to 1."""
        return self.metric is not None and self.metric.share and self.metric.better == "max"

    @property
    def format(self) -> str:
        """The d3 format of a value."""
        return ".2%" if self.is_share else ".5~g"

    def height(self, value: float) -> float | None:
        """Return what is drawn for a value, rounded to what a picture can show; None for what is not finite."""
        if not isfinite(value):
            return None
        if self.is_share:
            drawn = max(SMALLEST_ERROR, 1 - value if self.is_reversed else value)
        else:
            drawn = max(SMALLEST_LOSS, value) if value >= 0 else value
        return float(f"{drawn:.{DIGITS}g}")

    def axes(self, heights: Sequence[float | None]) -> dict[Growth, Axis]:
        """Return the axes that fit these heights, the best first. A height that is not above 0 allows linear only."""
        known = [height for height in heights if height is not None and isfinite(height)]
        linear: dict[Growth, Axis] = {"linear": self._linear(known)}
        if any(height <= 0 for height in known):
            return linear
        log: dict[Growth, Axis] = {"log": self._log(known)}
        return log | linear if self._prefers_log(known) else linear | log

    def axis(self, heights: Sequence[float | None]) -> Axis:
        """Return the axis that fits these heights best."""
        return next(iter(self.axes(heights).values()))

    def _prefers_log(self, heights: Sequence[float]) -> bool:
        if self.metric is None or self.metric.is_loss or self.is_share:
            return True
        return bool(heights) and max(heights) > 10 * min(heights)

    def _log(self, heights: Sequence[float]) -> Axis:
        low, high = log_domain(heights)
        if self.is_share:
            return log_axis(self.title, (low, min(high, 1.0)), label=self._label, reverse=self.is_reversed)
        return log_axis(f"{self.title} (log scale)", (low, high))

    def _linear(self, heights: Sequence[float]) -> Axis:
        low, high = linear_domain(heights)
        if self.is_share:
            low, high = max(low, 0.0), min(high, 1.0)
        elif heights and min(heights) >= 0:
            low = max(low, 0.0)
        return linear_axis(self.title, (low, high), label=self._label, reverse=self.is_reversed)

    @property
    def _label(self) -> str | None:
        return (SHARE if self.is_reversed else ERROR) if self.is_share else None


def error_of(metric: Metric) -> Quantity:
    """Return the test's quantity as people judge mistakes: an accuracy as its error, others as they are."""
    if metric.share and metric.better == "max":
        name = "error" if metric.name == "accuracy" else f"1 − {metric.name}"
        return Quantity(f"test {name}", Metric(name, "min", share=True))
    return Quantity(f"test {metric.title}", metric)


@dataclass(frozen=True)
class TimeAxis:
    """A clock: the field of a row, the word on the switch and the title of the axis."""

    field: Field
    word: str
    title: str

    def axis(self, values: Iterable[float | None], growth: Growth = "linear", *, zero: bool = False) -> Axis:
        """Return the axis that shows these times. With `zero`, epochs begin at 0 too."""
        known = [value for value in values if value is not None]
        last = max(known, default=1)
        if growth == "log":
            return log_axis(self.title, log_domain(known, pad=1.04))
        if self.field == "epoch" and not zero:
            return counting_axis(self.title, (1, last))
        return linear_axis(self.title, (0, last * 1.03))


EPOCHS = TimeAxis("epoch", "epochs", "epoch")
STEPS = TimeAxis("step", "steps", "training step")
SECONDS = TimeAxis("seconds", "seconds", "training time (s)")


def clocks(protocol: Protocol) -> tuple[TimeAxis, ...]:
    """Return the clocks of this protocol. The first is the one that people count in."""
    if protocol.evaluate_every:
        return STEPS, SECONDS
    return (EPOCHS, STEPS, SECONDS) if protocol.steps_per_epoch else (EPOCHS, SECONDS)


def times(epoch: Epoch, protocol: Protocol) -> dict[str, float]:
    """Return the time of an epoch's end on every clock of the protocol."""
    steps = protocol.steps_per_epoch
    known = {"epoch": epoch.epoch, "seconds": round(epoch.seconds, 3)}
    return known | ({"step": epoch.epoch * steps} if steps else {})


def clock_switch(clocks: Sequence[TimeAxis], chosen: TimeAxis | None = None) -> Switch:
    """Return the switch between clocks. Without `chosen`, the first is chosen."""
    return Switch("clock", "Against", tuple(clock.word for clock in clocks), (chosen or clocks[0]).word)


def clock_views(
    clocks: Sequence[TimeAxis], rows: Sequence[Mapping[str, Any]], *, zero: bool = False
) -> tuple[View, ...]:
    """Return what the horizontal axis becomes for each clock."""
    axes = {clock: clock.axis((row.get(clock.field) for row in rows), zero=zero) for clock in clocks}
    return tuple(View({"clock": clock.word}, {"x": axis.patch(clock.field)}) for clock, axis in axes.items())
