"""Four ways to choose a learning rate and to measure it, where the truth is known: tuning gains nothing.

The practices show the winner's curse: 16 learning rates are equally good, so whatever tuning seems to gain over the one
untuned learning rate is luck. Three are found in papers and tools (DeepOBS keeps the seed that chose among the ten that
measure), and the last one is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surefoot.selfcheck.seed_models import LEVEL, NORMAL, Scores, behind
from surefoot.statistics.intervals import ALPHA, Interval, t_interval
from surefoot.statistics.proportions import Proportion, clopper_pearson

RATES = 16

Chooser = Callable[[Scores], Scores]
"""A function from all scores, by study, learning rate and seed, to the scores that choose."""


@dataclass(frozen=True)
class Practice:
    """A way to choose and to measure, and its result where tuning gains nothing.

    Attributes:
        name: how many seeds measure, and which of them choose.
        gain: mean gain in accuracy that tuning seems to bring, a fraction, with its 99 % interval.
        called: share of studies that call the tuned optimizer better, with its 99 % interval.
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
    """Play each practice through in this many studies of `seeds` measuring seeds. The last one is ours."""
    ways: dict[str, Chooser] = {
        f"{seeds} seeds, chosen on 1 of them": lambda scores: scores[:, :, 0],
        f"{seeds} seeds, chosen on all {seeds}": lambda scores: scores.mean(axis=2),
        f"ours: {seeds}, chosen on another": lambda scores: _elsewhere(rng, scores),
    }
    return (_one_seed(studies, rng), *(_play(name, way, studies, seeds, rng) for name, way in ways.items()))


def _elsewhere(rng: np.random.Generator, scores: Scores) -> Scores:
    """Return scores of the same learning rates with a seed that does not measure."""
    return NORMAL.draw(rng, len(scores), RATES, 1)[:, :, 0]


def _one_seed(studies: int, rng: np.random.Generator) -> Practice:
    """Choose and measure on one seed, where the higher score wins."""
    scores = NORMAL.draw(rng, studies, 1 + RATES, 1)[:, :, 0]
    gains = scores[:, 1:].max(axis=1) - scores[:, 0]
    return _practice("1 seed, chosen on the same", gains, int(np.count_nonzero(gains > 0)))


def _play(name: str, seen: Chooser, studies: int, seeds: int, rng: np.random.Generator) -> Practice:
    """Judge the learning rate with the highest score `seen` against setting 0, which is untuned."""
    scores = NORMAL.draw(rng, studies, 1 + RATES, seeds)
    tuned = scores[np.arange(studies), 1 + seen(scores[:, 1:]).argmax(axis=1)]
    pairs = np.stack([scores[:, 0], tuned], axis=1)
    called = sum(bool(behind(pair, "arm 1")) for pair in pairs)
    return _practice(name, (pairs[:, 1] - pairs[:, 0]).mean(axis=1), called)


def _practice(name: str, gains: Scores, called: int) -> Practice:
    gain = t_interval(gains.tolist(), LEVEL)
    assert gain is not None  # there is at least one study
    return Practice(name, gain, clopper_pearson(called, len(gains), LEVEL))
