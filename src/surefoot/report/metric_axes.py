"""A figure of merit on an axis: how high a value is drawn, which axes fit it, and how the pointer's text writes it.

A loss or any metric goes through here, so no figure knows what the task measures. A share of which more is better (an
accuracy) is drawn as its error; a share of which less is better as it is; anything else as it is, on a logarithmic
axis where all values are above zero, and for a metric other than the loss span more than a decade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from surefoot.report.scales import ERROR, SHARE, Axis, linear_axis, linear_domain, log_axis, log_domain
from surefoot.store.protocol import Metric

SMALLEST_LOSS = 1e-7  # as Keras clips probabilities; a logarithm needs a floor
SMALLEST_ERROR = 1e-5
DIGITS = 6

Growth = Literal["log", "linear"]


@dataclass(frozen=True)
class Quantity:
    """A loss (`metric` is None) or a metric, under the `title` that its axis has."""

    title: str
    metric: Metric | None = None

    @property
    def is_share(self) -> bool:
        """Whether it is written in per cent."""
        return self.metric is not None and self.metric.share

    @property
    def is_reversed(self) -> bool:
        """Whether what is drawn is what the value lacks to 1."""
        return self.metric is not None and self.metric.share and self.metric.better == "max"

    @property
    def format(self) -> str:
        """The d3 format of a value."""
        return ".2%" if self.is_share else ".5~g"

    def height(self, value: float) -> float | None:
        """What is drawn for a value, rounded to what a picture can show; None for what is not finite."""
        if not isfinite(value):
            return None
        if self.is_share:
            return _rounded(max(SMALLEST_ERROR, 1 - value if self.is_reversed else value))
        return _rounded(max(SMALLEST_LOSS, value) if value >= 0 else value)

    def axes(self, heights: Sequence[float | None]) -> dict[Growth, Axis]:
        """The axes that fit these heights, the best one first; no logarithmic one where a height is below zero."""
        known = [height for height in heights if height is not None and isfinite(height)]
        linear: dict[Growth, Axis] = {"linear": self._linear(known)}
        if any(height <= 0 for height in known):
            return linear
        log: dict[Growth, Axis] = {"log": self._log(known)}
        return log | linear if self._prefers_log(known) else linear | log

    def axis(self, heights: Sequence[float | None]) -> Axis:
        """The axis that fits these heights best."""
        return next(iter(self.axes(heights).values()))

    def _prefers_log(self, heights: Sequence[float]) -> bool:
        if self.metric is None or self.metric.is_loss or self.is_share:
            return True
        return bool(heights) and max(heights) > 10 * min(heights)

    def _log(self, heights: Sequence[float]) -> Axis:
        low, high = log_domain(heights)
        high = min(high, 1.0) if self.is_share else high
        title = self.title if self.is_share else f"{self.title} (log scale)"
        return log_axis(title, (low, high), label=self._label, reverse=self.is_reversed)

    def _linear(self, heights: Sequence[float]) -> Axis:
        low, high = linear_domain(heights)
        if self.is_share:
            low, high = max(low, 0.0), min(high, 1.0)
        elif heights and min(heights) >= 0:
            low = max(low, 0.0)
        return linear_axis(self.title, (low, high), label=self._label, reverse=self.is_reversed)

    @property
    def _label(self) -> str | None:
        if not self.is_share:
            return None
        return SHARE if self.is_reversed else ERROR


def error_of(metric: Metric) -> Quantity:
    """The test's quantity as people judge mistakes: an accuracy as the error it leaves, others as they are."""
    if metric.share and metric.better == "max":
        name = "error" if metric.name == "accuracy" else f"1 − {metric.name}"
        return Quantity(f"test {name}", Metric(name, "min", share=True))
    return Quantity(f"test {metric.title}", metric)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
