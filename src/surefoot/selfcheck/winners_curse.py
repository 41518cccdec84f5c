"""The winner's curse: a learning rate that was chosen for its score is not as good as that score.

16 learning rates are equally good, so tuning gains nothing, and whatever it seems to gain over the one untuned
learning rate is the luck of the draw that was chosen. Four ways to choose and measure are played through: three that
are found in papers and tools (DeepOBS keeps the seed that chose among the ten that measure), and ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surefoot.selfcheck.seed_models import NORMAL, Scores, behind
from surefoot.statistics.intervals import ALPHA, Interval, t_interval
from surefoot.statistics.proportions import Proportion, clopper_pearson

RATES = 16
LEVEL = 0.99

Chooser = Callable[[Scores], Scores]
"""From the scores by study, learning rate and seed to those by study and learning rate that choose."""


@dataclass(frozen=True)
class Practice:
    """A way to choose and to measure, and what it makes of tuning that gains nothing.

    `gain` is the mean gain in accuracy that tuning seems to bring, a fraction, and `called` the share of studies that
    call the tuned optimizer better; both with 99 % intervals.
    """

    name: str
    gain: Interval
    called: Proportion

    @property
    def holds(self) -> bool:
        """Whether the gain may be zero and at most 5 % of the studies call the tuned optimizer better."""
        low, high = self.gain.low, self.gain.high
        return low is not None and high is not None and low <= 0 <= high and self.called.low <= ALPHA


def practices(studies: int, seeds: int, rng: np.random.Generator) -> tuple[Practice, ...]:
    """Play each practice through in so many studies of `seeds` measuring seeds; the last one is ours."""
    ways: dict[str, Chooser] = {
        f"{seeds} seeds, chosen on 1 of them": lambda scores: scores[:, :, 0],
        f"{seeds} seeds, chosen on all {seeds}": lambda scores: scores.mean(axis=2),
        f"ours: {seeds}, chosen on another": lambda scores: _elsewhere(rng, scores),
    }
    return (_one_seed(studies, rng), *(_play(name, way, studies, seeds, rng) for name, way in ways.items()))


def _elsewhere(rng: np.random.Generator, scores: Scores) -> Scores:
    """Scores of the same learning rates with a seed that does not measure."""
    return NORMAL.draw(rng, len(scores), RATES, 1)[:, :, 0]


def _one_seed(studies: int, rng: np.random.Generator) -> Practice:
    """One seed to choose and to measure, and the higher score wins."""
    scores = NORMAL.draw(rng, studies, 1 + RATES, 1)[:, :, 0]
    gains = scores[:, 1:].max(axis=1) - scores[:, 0]
    return _practice("1 seed, chosen on the same", gains, int(np.count_nonzero(gains > 0)))


def _play(name: str, seen: Chooser, studies: int, seeds: int, rng: np.random.Generator) -> Practice:
    """Setting 0 is untuned; of the others the one with the highest score `seen` is measured against it and judged."""
    scores = NORMAL.draw(rng, studies, 1 + RATES, seeds)
    tuned = scores[np.arange(studies), 1 + seen(scores[:, 1:]).argmax(axis=1)]
    pairs = np.stack([scores[:, 0], tuned], axis=1)
    called = sum(bool(behind(pair, "arm 1")) for pair in pairs)
    return _practice(name, (pairs[:, 1] - pairs[:, 0]).mean(axis=1), called)


def _practice(name: str, gains: Scores, called: int) -> Practice:
    gain = t_interval(gains.tolist(), LEVEL)
    assert gain is not None  # there is at least one study
    return Practice(name, gain, clopper_pearson(called, len(gains), LEVEL))
