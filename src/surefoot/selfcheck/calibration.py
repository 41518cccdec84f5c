"""Calibration: what our own verdict says where the truth is known, because it was made up.

Studies are drawn from worlds in which all arms are one optimizer (A/A), or one is better by a known amount, and each
goes through the very comparisons and verdict that users get. A promise (at most 5 % false verdicts in each family, and
the power that `statistics.power` tells) counts as broken only when a 99 % interval excludes it.

The practices show the winner's curse: 16 learning rates are equally good, so whatever tuning seems to gain over the one
untuned learning rate is the luck of the draw that was chosen. Four ways to choose and measure are played through: three
that are found in papers and tools (DeepOBS keeps the seed that chose among the ten that measure), and ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import comb, sqrt

import numpy as np

from surefoot.analysis.pairwise import compare_all
from surefoot.errors import Argument
from surefoot.selfcheck import joined, margins, planned_looks
from surefoot.selfcheck.joined import FalseClaims, false_claims
from surefoot.selfcheck.margins import FalseMargins, Race, false_margins, race
from surefoot.selfcheck.planned_looks import FalseLooks, TrueLooks, false_looks, true_looks
from surefoot.selfcheck.seed_models import (
    DIVERGING,
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
from surefoot.statistics.intervals import ALPHA, Interval, t_interval
from surefoot.statistics.power import promised
from surefoot.statistics.proportions import Proportion, clopper_pearson

RATES = 16
LEVEL = 0.99

Chooser = Callable[[Scores], Scores]
"""From the scores by study, learning rate and seed to those by study and learning rate that choose."""

STUDIES = 5000
DESIGNS = ((2, 10, False), (4, 10, False), (4, 5, False), (6, 5, True), (8, 5, True), (8, 5, False))
"""Arms and seeds of the A/A studies, and whether half of the arms are the other half, tuned."""

LOOKED = ((2, (5, 7)), (2, (6, 8, 10, 12)), (4, (5, 8)), (4, (8, 10)))
"""Arms of A/A studies that are looked at again whenever seeds are added, and how many there are each time."""

UNTESTED = (TWO_BASINS, 4, 3, False)
"""So few seeds that nothing is tested; a t-test would call one better in 14 % of these studies."""

PROMISES = (0.5, 0.8, 0.95)

PROMISED_FROM = 50_000
"""Simulated studies from which a promise is computed: its own error is then far below that of what is found."""

SEEDS = 10

SLOW = 5
"""Of margins, races and what joins several so much fewer studies are simulated, as each takes so much longer."""


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


@dataclass(frozen=True)
class FalseVerdicts:
    """A/A studies of one world and design, and the `rate` at which some arm was called better.

    Where half of the arms are `tuned`, it is that of the family (`families`) that has the most. Where there were
    several `looks`, with so many seeds each, it is the rate at which any of them did.
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
    """Studies in which the first arm is better by `difference` (a fraction) and how often it was `found` to be.

    Found means that one given arm was called behind the better one. With more than two arms `promised` is a lower
    limit, as Holm's correction is at its strictest in it.
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
        """Whether every promise of ours is kept; the practices of others are not ours."""
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
        seed: of all that is drawn.
        stored: a world of real scores (`seed_models.stored`) to add to the simulated ones.
        observe: called with a few words as the simulation goes on.
    """
    count(studies, Argument("studies"), 100)
    count(seed, Argument("seed"), 0)
    worlds = (NORMAL, SKEWED, TWO_BASINS, DIVERGING, *([stored] if stored else []))
    designs = [*((world, *design) for world in worlds for design in DESIGNS), UNTESTED]
    observe("equal optimizers")
    wrong = [
        false_verdicts(world, arms, seeds, studies, np.random.default_rng([seed, 1, index]), tuned=tuned)
        for index, (world, arms, seeds, tuned) in enumerate(designs)
    ]
    observe("seeds that are added after a verdict")
    wrong += [
        looked_at(world, arms, looks, studies, np.random.default_rng([seed, 5, index]))
        for index, (world, (arms, looks)) in enumerate(product(worlds, LOOKED))
    ]
    observe("planned looks")
    false = [
        false_looks(*row, studies, np.random.default_rng([seed, 6, index]))
        for index, row in enumerate(planned_looks.EQUAL)
    ]
    true = [
        true_looks(*row, studies, np.random.default_rng([seed, 7, index]))
        for index, row in enumerate(planned_looks.BETTER)
    ]
    observe("margins")
    fewer = max(100, studies // SLOW)
    near = [
        false_margins(*row, fewer, np.random.default_rng([seed, 8, index])) for index, row in enumerate(margins.MARGINS)
    ]
    observe("races of finalists")
    raced = [race(*row, fewer, np.random.default_rng([seed, 9, index])) for index, row in enumerate(margins.RACES)]
    observe("looks, margins and tuning together")
    both = [
        false_claims(design, fewer, np.random.default_rng([seed, 10, index]))
        for index, design in enumerate(joined.DESIGNS)
    ]
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
    """Count the studies that find the smallest difference of which `power` promises that so many will."""
    pairs, step = comb(arms, 2), NORMAL.scale.resolution
    spread = sqrt(2) * OWN
    difference = promised(spread, SEEDS, comparisons=pairs, wanted=promise, resolution=step, studies=PROMISED_FROM)
    return TrueFindings(arms, SEEDS, difference, promise, found(difference, arms, SEEDS, studies, rng))


def found(difference: float, arms: int, seeds: int, studies: int, rng: np.random.Generator) -> Proportion:
    """Count the studies of normal scores that find the first arm, better by `difference`, ahead of the second."""
    scores = NORMAL.draw(rng, studies, arms, seeds, difference)
    return clopper_pearson(sum("arm 1" in behind(study, "arm 0") for study in scores), studies, LEVEL)
