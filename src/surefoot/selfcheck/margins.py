"""Margins and races where the truth is known: false claims of equality, and what a race loses.

The first arm is better than all others by just the margin. So it is false to call one of them equal to it, or not
worse. In one world the others differ only in how often they diverge. A race has candidates of known quality. It may
drop the best in one race of ten, and its winner may be worse than that of all seeds by a tenth of one trial's luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from surefoot.analysis.pairwise import compare_all
from surefoot.search.race import ALPHA as DROPPED
from surefoot.search.race import dropped
from surefoot.selfcheck.seed_models import (
    DIVERGING,
    LEVEL,
    LOST,
    MEAN,
    NORMAL,
    OWN,
    SKEWED,
    TWO_BASINS,
    Scores,
    SeedModel,
    counting,
)
from surefoot.statistics.intervals import ALPHA, Interval, t_interval
from surefoot.statistics.proportions import Proportion, clopper_pearson
from surefoot.store.margin import Margin

MARGIN = 0.003
GUESS = 0.1


def _uneven(rng: np.random.Generator, studies: int, arms: int, seeds: int, *_: float) -> Scores:
    """Draw scores of equal arms, of which all but the first diverge in three trials of ten."""
    scores = NORMAL.draw(rng, studies, arms, seeds)
    lost = rng.random(scores.shape) < LOST
    lost[:, 0] = False
    return np.where(lost, np.nan, scores)


UNEVEN = SeedModel("others diverge", _uneven)

MARGINS: tuple[tuple[SeedModel, int, tuple[int, ...]], ...] = (
    *((world, *design) for world in (NORMAL, SKEWED, TWO_BASINS) for design in ((2, (5,)), (2, (10,)), (4, (8,)))),
    *((world, *design) for world in (NORMAL, TWO_BASINS, DIVERGING) for design in ((2, (5, 8, 12)), (4, (6, 10)))),
    (UNEVEN, 2, (10,)),
)
"""Worlds, arms, and the seeds at each look."""

GAPS = ((0.0, 0.0), (0.5, 1.0), (2.0, 4.0))
RACES: tuple[tuple[int, tuple[float, ...]], ...] = tuple((seeds, gaps) for seeds in (4, 6, 10) for gaps in GAPS)
"""Tuning seeds, and how far two candidates are behind, in standard deviations of a trial's luck."""

NOISE = 0.1
"""The most that a race may lose, in the same unit."""


@dataclass(frozen=True)
class FalseMargins:
    """Studies in which others are worse than the first arm by the margin, or diverge where it does not.

    `equal` is how often one of them was called equal to it at any look, `not_worse` how often not worse than it.
    """

    world: str
    arms: int
    looks: tuple[int, ...]
    equal: Proportion
    not_worse: Proportion

    @property
    def holds(self) -> bool:
        """Whether true rates of at most 5 % explain what was seen."""
        return self.equal.low <= ALPHA and self.not_worse.low <= ALPHA


@dataclass(frozen=True)
class Race:
    """Races on this many tuning seeds, of candidates that are worse than the best by `gaps`.

    Attributes:
        seeds: tuning seeds.
        gaps: distances from the best, in standard deviations of a trial's luck.
        dropped: share of races that drop the best.
        loss: how much worse the winner is than that of all seeds, in the same unit.
        saved: share of trials that were not run.
    """

    seeds: int
    gaps: tuple[float, ...]
    dropped: Proportion
    loss: Interval
    saved: float

    @property
    def holds(self) -> bool:
        """Whether the best is dropped in a tenth at most, and the winner as good but for noise."""
        return self.dropped.low <= DROPPED and (self.loss.low or 0.0) <= NOISE


def false_margins(
    world: SeedModel, arms: int, looks: Sequence[int], studies: int, rng: np.random.Generator
) -> FalseMargins:
    """Count the studies with a false claim about the first arm and another."""
    scale = replace(world.scale, chance=GUESS)
    lead = MARGIN / (1 - LOST) if world is DIVERGING else MARGIN
    equal = held = 0
    for study in world.draw(rng, studies, arms, looks[-1], lead):
        claims = [
            row.closeness
            for results, looked in counting(study, looks)
            for row in compare_all(results, scale, looked=looked, margin=Margin(MARGIN))
            if row.closeness and row.a == "arm 0"
        ]
        equal += any(one.equal for one in claims)
        held += any(one.b_holds for one in claims)
    rates = (clopper_pearson(count, studies, LEVEL) for count in (equal, held))
    return FalseMargins(world.name, arms, tuple(looks), *rates)


def race(seeds: int, gaps: tuple[float, ...], studies: int, rng: np.random.Generator) -> Race:
    """Race the candidates in this many studies, on all tuning seeds but the first."""
    quality = np.array([0.0, *(-gap for gap in gaps)])
    fresh = seeds - 1
    lost, losses, run = 0, [], 0
    for _ in range(studies):
        scores = MEAN + OWN * (
            quality[:, None] + rng.standard_normal(fresh) + rng.standard_normal((len(quality), fresh))
        )
        after = dropped(scores.tolist(), fresh)
        left = [place for place, at in enumerate(after) if at is None]
        end = fresh if len(left) > 1 else max(at for at in after if at is not None)
        lost += after[0] is not None
        winner = max(left, key=lambda place: scores[place, :end].mean())
        losses.append(float(quality[scores.mean(axis=1).argmax()] - quality[winner]))
        run += sum(at or end for at in after)
    loss = t_interval(losses, LEVEL)
    assert loss is not None  # there is at least one study
    return Race(seeds, gaps, clopper_pearson(lost, studies, LEVEL), loss, 1 - run / (studies * fresh * len(quality)))
