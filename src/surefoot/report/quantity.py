"""What a figure shows of a value: a loss or a metric, its height and the axes that fit.

No figure knows what the task measures. A share of which more is better (an accuracy) is drawn as what it lacks to 1, on
a reversed axis that is labelled as the share: on the logarithmic one 98 % and 99 % are as far apart as they are in
errors made. Anything else is drawn as it is. A logarithmic axis needs heights above zero. It comes first for a loss and
for a share; for another metric only where heights span more than a decade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from surefoot.report.axes import Axis, Growth, linear_axis, linear_domain, log_axis, log_domain
from surefoot.store.protocol import LOSS, Metric

ERROR = "format(100 * datum.value, '~g') + ' %'"
SHARE = "format(100 - 100 * datum.value, '.6~r') + ' %'"

SMALLEST_LOSS = 1e-7  # as Keras clips probabilities; a logarithm needs a floor
SMALLEST_ERROR = 1e-5
DIGITS = 6


@dataclass(frozen=True)
class Quantity:
    """A loss or a metric, under the title of its axis. `metric` is None for a loss."""

    title: str
    metric: Metric | None = None

    @property
    def heading(self) -> str:
        """The title where it begins a line."""
        return LOSS.heading if self.metric is None else self.metric.heading

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
        name = "error" if metric.name == "accuracy" else f"1 − {metric.title}"
        return Quantity(f"test {name}", Metric(name, "min", share=True))
    return Quantity(f"test {metric.title}", metric)
