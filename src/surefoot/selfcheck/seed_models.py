"""The worlds in which calibration tests the verdict: how the scores of one optimizer scatter over seeds.

In each, every arm is the same optimizer under another name, so any difference is luck. A score is what the seed gives
to all arms alike (initial weights, batch order) plus the trial's own luck, rounded to whole test images. The spread is
that of the DeepOBS logs of a CNN on Fashion-MNIST: 0.27 pp between two runs of a pair, at 92 % accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surefoot.analysis.pairwise import Looked, compare_all
from surefoot.analysis.scale import Scale
from surefoot.analysis.settings import Setting
from surefoot.analysis.verdict import judge
from surefoot.errors import UsageError
from surefoot.store.looks import TakenLook
from surefoot.store.protocol import ACCURACY, Metric

Scores = NDArray[np.float64]

IMAGES = 10_000
"""Test images of the simulated worlds."""

MEAN = 0.92
OWN = 0.0019
"""Standard deviation of a trial's own luck; that of the difference of a pair is sqrt(2) times this."""

LOST = 0.3
"""The share of trials that diverge in `DIVERGING` and `UNBOUNDED`."""

LEVEL = 0.99
"""The level of every interval of a calibration: a sound row fails once in a hundred."""

FEWEST_STORED = 5


@dataclass(frozen=True)
class SeedModel:
    """A world of scores; `draw(rng, studies, arms, seeds)` gives test accuracies of that shape."""

    name: str
    draw: Callable[..., Scores]
    test_size: int = IMAGES
    metric: Metric = ACCURACY

    @property
    def scale(self) -> Scale:
        """The scale of its scores."""
        return Scale(self.metric, self.test_size)


def normal(rng: np.random.Generator, *shape: int) -> Scores:
    """Draw luck that follows the bell curve."""
    return OWN * rng.standard_normal(shape)


def skewed(rng: np.random.Generator, *shape: int) -> Scores:
    """Draw luck with a long tail of bad seeds: minus a log-normal, of the same standard deviation as the normal."""
    luck: Scores = (rng.lognormal(0, 1, shape) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
    return -OWN * luck


def two_basins(rng: np.random.Generator, *shape: int) -> Scores:
    """Draw luck that decides between two levels, 0.38 pp apart, with little scatter around each."""
    return OWN * (2 * rng.integers(0, 2, shape) - 1 + 0.1 * rng.standard_normal(shape))


def diverging(rng: np.random.Generator, *shape: int) -> Scores:
    """Draw luck that follows the bell curve, but for three trials in ten, which diverge and have no score."""
    return np.where(rng.random(shape) < LOST, np.nan, normal(rng, *shape))


def losses(rng: np.random.Generator, studies: int, arms: int, seeds: int) -> Scores:
    """Draw losses with a long tail, of which three in ten diverge. What those count changes as seeds come in."""
    shape = studies, arms, seeds
    return np.where(rng.random(shape) < LOST, np.nan, rng.lognormal(0, 1.5, shape))


def simulated(name: str, luck: Callable[..., Scores]) -> SeedModel:
    """Return the world in which a trial's own luck is drawn by `luck(rng, *shape)`.

    Its `draw` takes a `lead` of the first arm too. Scores are rounded to whole images once, with the lead in them.
    """

    def draw(rng: np.random.Generator, studies: int, arms: int, seeds: int, lead: float = 0.0) -> Scores:
        shared = OWN * rng.standard_normal((studies, 1, seeds))
        scores = MEAN + shared + luck(rng, studies, arms, seeds)
        scores[:, 0] += lead
        return np.round(np.clip(scores, 0, 1) * IMAGES) / IMAGES

    return SeedModel(name, draw)


def stored(arms: Sequence[Setting], test_size: int) -> SeedModel:
    """Return the world of real scores: each study takes one stored optimizer and resamples its seeds for every name.

    Raises UsageError when no arm has at least 5 finished seeds.
    """
    pools = [np.array(list(arm.metrics().values())) for arm in arms if len(arm.finished) >= FEWEST_STORED]
    if not pools:
        raise UsageError(
            f"no optimizer in the store has {FEWEST_STORED} finished seeds to resample; "
            f"run `surefoot compare --seeds {FEWEST_STORED}` or more first."
        )

    def draw(rng: np.random.Generator, studies: int, arms: int, seeds: int) -> Scores:
        chosen = rng.integers(0, len(pools), studies)
        return np.stack([rng.choice(pools[index], (arms, seeds)) for index in chosen])

    return SeedModel(f"{len(pools)} stored", draw, test_size)


def by_label(scores: Scores) -> dict[str, dict[int, float]]:
    """Return one study's scores, a row for each arm, as `verdict.judge` reads them."""
    return {f"arm {i}": dict(enumerate(row)) for i, row in enumerate(scores.tolist())}


def counting(scores: Scores, looks: Sequence[int]) -> Iterator[tuple[dict[str, dict[int, float]], Looked]]:
    """Yield one study's scores at each look, with the earlier looks of each seed."""
    for k, seeds in enumerate(looks):
        results = by_label(scores[:, :seeds])
        before = {seed: frozenset(TakenLook(n) for n in range(k) if seed < looks[n]) for seed in range(seeds)}
        yield results, dict.fromkeys(results, before)


def behind(scores: Scores, best: str) -> tuple[str, ...]:
    """Return the arms of a simulated study that the verdict calls behind this one; none if it is not the best."""
    found = by_label(scores)
    verdict = judge(found, NORMAL.scale, compare_all(found, NORMAL.scale))
    return verdict.behind if verdict.best == best else ()


NORMAL = simulated("normal", normal)
SKEWED = simulated("skewed, heavy tail", skewed)
TWO_BASINS = simulated("two basins", two_basins)
DIVERGING = simulated("3 in 10 diverge", diverging)
UNBOUNDED = SeedModel("losses, 3 in 10 diverge", losses, metric=Metric("loss", "min", share=False))
