"""Calibration: the error rates of our own verdict where the truth is known, because it was made up.

Studies are drawn from worlds in which all arms are one optimizer (A/A), or one is better by a known amount. Each goes
through the very comparisons and verdict that users get. A promise (at most 5 % false verdicts in each family, and the
power that `statistics.power` states) counts as broken only when a 99 % interval excludes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import comb, sqrt
from typing import TypeVar

import numpy as np

from surefoot.analysis.pairwise import compare_all
from surefoot.errors import Argument
from surefoot.selfcheck import joined, margins, planned_looks
from surefoot.selfcheck.joined import FalseClaims, false_claims
from surefoot.selfcheck.margins import FalseMargins, Race, false_margins, race
from surefoot.selfcheck.planned_looks import FalseLooks, TrueLooks, false_looks, true_looks
from surefoot.selfcheck.practices import Practice, practices
from surefoot.selfcheck.seed_models import (
    DIVERGING,
    LEVEL,
    NORMAL,
    OWN,
    SKEWED,
    TWO_BASINS,
    Scores,
    SeedModel,
    behind,
    by_label,
    counting,
)
from surefoot.statistics.argument_checks import count
from surefoot.statistics.intervals import ALPHA
from surefoot.statistics.power import promised
from surefoot.statistics.proportions import Proportion, clopper_pearson

STUDIES = 5000
DESIGNS = ((2, 10, False), (4, 10, False), (4, 5, False), (6, 5, True), (8, 5, True), (8, 5, False))
"""Arms and seeds of the A/A studies, and whether half of the arms are the other half, tuned."""

LOOKED = ((2, (5, 7)), (2, (6, 8, 10, 12)), (4, (5, 8)), (4, (8, 10)))
"""Arms of A/A studies that are judged again whenever seeds are added, and the seeds each time."""

UNTESTED = (TWO_BASINS, 4, 3, False)
"""A study of too few seeds for a test. A t-test would call one better in 14 % of such studies."""

PROMISES = (0.5, 0.8, 0.95)

PROMISED_FROM = 50_000
"""Simulated studies behind a promise: its own error is then far below that of what is found."""

SEEDS = 10

SLOW = 5
"""The factor by which fewer margins, races and joined studies are simulated: each takes so much longer."""

Row = TypeVar("Row")


@dataclass(frozen=True)
class FalseVerdicts:
    """A/A studies of one design, and the `rate` at which some arm was called better.

    Where half of the arms are `tuned`, it is the rate of the worst family. Where there were several `looks`, with so
    many seeds each, it counts the studies in which any look found something.
    """

    world: str
    arms: int
    seeds: int
    tuned: bool
    rate: Proportion
    looks: tuple[int, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether a true rate of at most 5 % explains what was seen."""
        return self.rate.low <= ALPHA


@dataclass(frozen=True)
class TrueFindings:
    """Studies in which the first arm is better by `difference`, and how often that was `found`.

    The difference is a fraction. Found means that one given arm was called behind the better one. With more than two
    arms `promised` is a lower limit, because Holm's correction is at its strictest in it.
    """

    arms: int
    seeds: int
    difference: float
    promised: float
    found: Proportion

    @property
    def holds(self) -> bool:
        """Whether the promise is kept: met exactly for two arms, at least met for more."""
        return self.promised <= self.found.high and (self.arms > 2 or self.found.low <= self.promised)


@dataclass(frozen=True)
class Calibration:
    """All that was simulated: `studies` for each row, from `seed`."""

    studies: int
    seed: int
    false_verdicts: tuple[FalseVerdicts, ...]
    power: tuple[TrueFindings, ...]
    practices: tuple[Practice, ...]
    false_looks: tuple[FalseLooks, ...]
    true_looks: tuple[TrueLooks, ...]
    margins: tuple[FalseMargins, ...]
    races: tuple[Race, ...]
    joined: tuple[FalseClaims, ...]

    @property
    def holds(self) -> bool:
        """Whether every promise of ours is kept. The practices of others are not ours."""
        kept = [row.holds for row in self.false_verdicts] + [row.holds for row in self.power]
        kept += [row.holds for row in self.false_looks] + [row.holds for row in self.true_looks]
        kept += [row.holds for row in self.margins] + [row.holds for row in self.races]
        kept += [row.holds for row in self.joined]
        return all(kept) and self.practices[-1].holds


def calibrate(
    *,
    studies: int = STUDIES,
    seed: int = 0,
    stored: SeedModel | None = None,
    observe: Callable[[str], None] = lambda _: None,
) -> Calibration:
    """Simulate everything that the calibration promises.

    Args:
        studies: simulated studies for each row; 5,000 settle a rate of 5 % to within 0.8 points.
        seed: seed of all that is drawn.
        stored: world of real scores (`seed_models.stored`) to add to the simulated ones.
        observe: function that takes a few words on what is simulated next.
    """
    count(studies, Argument("studies"), 100)
    count(seed, Argument("seed"), 0)
    worlds = (NORMAL, SKEWED, TWO_BASINS, DIVERGING, *([stored] if stored else []))
    designs = [*((world, *design) for world in worlds for design in DESIGNS), UNTESTED]

    def seeded(part: int, rows: Iterable[Row]) -> Iterator[tuple[Row, np.random.Generator]]:
        return ((row, np.random.default_rng([seed, part, index])) for index, row in enumerate(rows))

    observe("equal optimizers")
    wrong = [
        false_verdicts(world, arms, seeds, studies, rng, tuned=tuned)
        for (world, arms, seeds, tuned), rng in seeded(1, designs)
    ]
    observe("seeds that are added after a verdict")
    wrong += [
        looked_at(world, arms, looks, studies, rng)
        for (world, (arms, looks)), rng in seeded(5, product(worlds, LOOKED))
    ]
    observe("planned looks")
    false = [false_looks(*row, studies, rng) for row, rng in seeded(6, planned_looks.EQUAL)]
    true = [true_looks(*row, studies, rng) for row, rng in seeded(7, planned_looks.BETTER)]
    observe("margins")
    fewer = max(100, studies // SLOW)
    near = [false_margins(*row, fewer, rng) for row, rng in seeded(8, margins.MARGINS)]
    observe("races of finalists")
    raced = [race(*row, fewer, rng) for row, rng in seeded(9, margins.RACES)]
    observe("looks, margins and tuning together")
    both = [false_claims(design, fewer, rng) for design, rng in seeded(10, joined.DESIGNS)]
    observe("known differences")
    seen = [
        true_findings(arms, promise, studies, np.random.default_rng([seed, 3, arms, index]))
        for arms in (2, 4)
        for index, promise in enumerate(PROMISES)
    ]
    observe("choosing a learning rate")
    return Calibration(
        studies,
        seed,
        false_verdicts=tuple(wrong),
        power=tuple(seen),
        practices=practices(studies, SEEDS, np.random.default_rng([seed, 4])),
        false_looks=tuple(false),
        true_looks=tuple(true),
        margins=tuple(near),
        races=tuple(raced),
        joined=tuple(both),
    )


def false_verdicts(
    world: SeedModel, arms: int, seeds: int, studies: int, rng: np.random.Generator, *, tuned: bool = False
) -> FalseVerdicts:
    """Count the A/A studies in which any arm is told apart from another of its family."""
    wrong: Counter[str] = Counter()
    own = {f"arm {i + arms // 2}": f"arm {i}" for i in range(arms // 2)} if tuned else {}
    for study in world.draw(rng, studies, arms, seeds):
        rows = compare_all(by_label(study), world.scale, tuned_from=own)
        wrong.update({row.family for row in rows if row.distinguishable})
    most = max(wrong.values(), default=0)
    return FalseVerdicts(world.name, arms, seeds, tuned, clopper_pearson(most, studies, LEVEL))


def looked_at(
    world: SeedModel, arms: int, looks: Sequence[int], studies: int, rng: np.random.Generator
) -> FalseVerdicts:
    """Count the A/A studies in which any arm is told apart at any of the looks."""

    def wrong(study: Scores) -> bool:
        every = (compare_all(results, world.scale, looked=looked) for results, looked in counting(study, looks))
        return any(row.distinguishable for rows in every for row in rows)

    count = sum(map(wrong, world.draw(rng, studies, arms, looks[-1])))
    rate = clopper_pearson(count, studies, LEVEL)
    return FalseVerdicts(world.name, arms, looks[-1], tuned=False, rate=rate, looks=tuple(looks))


def true_findings(arms: int, promise: float, studies: int, rng: np.random.Generator) -> TrueFindings:
    """Count the studies that find the smallest difference for which `promised` promises this power."""
    pairs, step = comb(arms, 2), NORMAL.scale.resolution
    spread = sqrt(2) * OWN
    difference = promised(spread, SEEDS, comparisons=pairs, wanted=promise, resolution=step, studies=PROMISED_FROM)
    return TrueFindings(arms, SEEDS, difference, promise, found(difference, arms, SEEDS, studies, rng))


def found(difference: float, arms: int, seeds: int, studies: int, rng: np.random.Generator) -> Proportion:
    """Count the studies of normal scores that find the first arm, better by `difference`, ahead of the second."""
    scores = NORMAL.draw(rng, studies, arms, seeds, difference)
    return clopper_pearson(sum("arm 1" in behind(study, "arm 0") for study in scores), studies, LEVEL)
