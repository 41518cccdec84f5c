"""The scale of a metric: its better direction, its possible scores, and its smallest step.

A study is judged by accuracy, a loss or anything else. This one object, made from the trials' `Metric`, holds all that
depends on the choice, so no other file knows "higher is better". `words.numbers` decides how values are written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite
from statistics import median

from surefoot.statistics.intervals import Interval
from surefoot.store.protocol import ACCURACY, Metric, Protocol

UNKNOWN_TEST_SIZE = 10_000
"""Test examples assumed for a protocol without their number: those of MNIST, as in the oldest stores."""


@dataclass(frozen=True)
class Scale:
    """The scale of `metric`, measured on `test_size` examples; `chance` is the score of guessing, None if unknown."""

    metric: Metric = ACCURACY
    test_size: int = UNKNOWN_TEST_SIZE
    chance: float | None = None

    @property
    def name(self) -> str:
        """The metric's name, such as "accuracy"."""
        return self.metric.title

    @property
    def sign(self) -> int:
        """1 if larger is better, else -1: a score times its sign is better when it is larger."""
        return self.metric.sign

    @property
    def resolution(self) -> float:
        """The smallest step of a test score: one example for a share; 0 where a score can take any value."""
        return 1 / self.test_size if self.metric.share else 0.0

    def possible(self, interval: Interval | None) -> Interval | None:
        """Return the interval of a score, cut to what the metric can be: a share lies between 0 and 1."""
        if interval is None or interval.low is None or interval.high is None or not self.metric.share:
            return interval
        return replace(interval, low=max(0.0, interval.low), high=min(1.0, interval.high))

    def best(self, scores: Iterable[float]) -> float:
        """Return the best of one score or more."""
        return max(scores, key=self.gain)

    def worst(self, scores: Iterable[float]) -> float:
        """Return the worst of one score or more."""
        return min(scores, key=self.gain)

    def lost(self, scores: Iterable[float]) -> float:
        """Return the score of a seed that diverged: `chance`, since a diverged model is worth a guess.

        If chance is unknown, a share takes its worst possible value. Any other metric has none: there the score is as
        far below the worst of `scores` as that is below the best, so that one seed in ten does not outweigh the others.
        """
        if self.chance is not None:
            return self.chance
        if self.metric.share:
            return self.worst((0.0, 1.0))
        known = list(scores) or [0.0]
        return self.worst(known) - self.sign * ((max(known) - min(known)) or 1.0)

    def gain(self, score: float) -> float:
        """Return a score, or a difference of scores, turned so that more is better."""
        return self.sign * score


def first_score(scores: Iterable[float]) -> float | None:
    """Return the median score after the first epoch; None if no trial has a finite one then.

    A metric of the user's can be NaN while the loss is sound, for instance while a model predicts one class only.
    """
    finite = [score for score in scores if isfinite(score)]
    return median(finite) if finite else None


def scale_of(protocol: Protocol) -> Scale:
    """Return the scale on which a study is judged, from the protocol of its trials."""
    return Scale(protocol.metric, protocol.test_size or UNKNOWN_TEST_SIZE, protocol.chance)
