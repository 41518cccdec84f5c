"""How the values of a metric are written: a share in per cent, any other metric in significant digits."""

from __future__ import annotations

from dataclasses import dataclass

from surefoot.store.records import Metric
from surefoot.words.numbers import (
    DIFFERENCE,
    DIFFERENCE_IN_POINTS,
    PERCENT,
    POINTS,
    SIGNED,
    SIGNED_POINTS,
    SIZE,
    VALUE,
    Unit,
)


@dataclass(frozen=True)
class Written:
    """The writing of one metric."""

    metric: Metric

    @property
    def value(self) -> Unit:
        """Of a score: "98.02 %", or "0.012346"."""
        return PERCENT if self.metric.share else VALUE

    @property
    def size(self) -> Unit:
        """Of the size of a difference: "0.07 pp", or "0.0123"."""
        return POINTS if self.metric.share else SIZE

    @property
    def signed(self) -> Unit:
        """Of a difference in the metric's own direction: "+0.07 pp", or "−0.0123"."""
        return SIGNED_POINTS if self.metric.share else SIGNED

    @property
    def difference(self) -> Unit:
        """Of a difference whose bounds have no plus sign: "+0.07 pp [0.01, 0.13]"."""
        return DIFFERENCE_IN_POINTS if self.metric.share else DIFFERENCE

    @property
    def superlative(self) -> str:
        """What the best score is: "highest" or "lowest"."""
        return "highest" if self.metric.better == "max" else "lowest"

    def target(self, score: float) -> str:
        """A target, as short as it is: "98.5 %", or "0.05"."""
        return f"{100 * score:g} %" if self.metric.share else f"{score:g}"
