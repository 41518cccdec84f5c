"""The scale of a metric: which way is better, what a score can be, and what it cannot resolve.

A study is judged by accuracy, a loss or anything else. What depends on that is asked of this one object, made from the
trials' `Metric`, so that no other file knows "higher is better". How values are written is said in `words.numbers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from surefoot.statistics.intervals import Interval
from surefoot.store.protocol import Metric, Protocol

ACCURACY = Metric()

UNKNOWN_TEST_SIZE = 10_000
"""Test examples where a protocol does not tell: those of MNIST, as the oldest stores have it."""


@dataclass(frozen=True)
class Scale:
    """The scale of `metric`, measured on `test_size` examples; guessing gets `chance`, where that is known."""

    metric: Metric = ACCURACY
    test_size: int = UNKNOWN_TEST_SIZE
    chance: float | None = None

    @property
    def name(self) -> str:
        """The metric's name, such as "accuracy"."""
        return self.metric.title

    @property
    def sign(self) -> int:
        """A score times this is better when it is larger."""
        return self.metric.sign

    @property
    def resolution(self) -> float:
        """The smallest step of a test score: one example of a share; 0 where a score can take any value."""
        return 1 / self.test_size if self.metric.share else 0.0

    def possible(self, interval: Interval | None) -> Interval | None:
        """The interval of a score within what the metric can be: a share is never below 0 or above 1."""
        if interval is None or interval.low is None or interval.high is None or not self.metric.share:
            return interval
        return replace(interval, low=max(0.0, interval.low), high=min(1.0, interval.high))

    def best(self, scores: Iterable[float]) -> float:
        """The best of the scores, of which there is one at least."""
        return max(scores, key=self.gain)

    def worst(self, scores: Iterable[float]) -> float:
        """The worst of the scores, of which there is one at least."""
        return min(scores, key=self.gain)

    def lost(self, scores: Iterable[float]) -> float:
        """What a seed scores that diverged: `chance`, or no better than all `scores` that there are.

        Where chance is unknown that is the worst that a share can be. Any other metric has no worst: it is then as far
        below the worst score as that is below the best, so that a seed in ten does not outweigh the others.
        """
        if self.chance is not None:
            return self.chance
        if self.metric.share:
            return self.worst((0.0, 1.0))
        known = list(scores) or [0.0]
        return self.worst(known) - self.sign * ((max(known) - min(known)) or 1.0)

    def gain(self, score: float) -> float:
        """The score, or a difference of scores, turned so that more is better."""
        return self.sign * score


def scale_of(protocol: Protocol) -> Scale:
    """The scale on which a study is judged, from the protocol of its trials."""
    return Scale(protocol.metric, protocol.test_size or UNKNOWN_TEST_SIZE, protocol.chance)
