"""Calibration of planned looks: studies that stop early, drop arms and ask one of three questions.

Each simulated study goes through the very looks that users get: arms leave, the study stops, and what it then claims is
counted. At most 5 % of studies may tell equal arms apart. With a known difference, the seeds that a study takes and
what it finds must be as `compare --dry-run` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from surefoot.analysis.interim import Interim, Looker
from surefoot.analysis.pairwise import Comparison
from surefoot.selfcheck.seed_models import (
    DIVERGING,
    LEVEL,
    NORMAL,
    OWN,
    SKEWED,
    TWO_BASINS,
    UNBOUNDED,
    Scores,
    SeedModel,
    by_label,
)
from surefoot.statistics.intervals import ALPHA, Interval, t_interval
from surefoot.statistics.look_power import Course, course
from surefoot.statistics.looks import Looks, even_looks
from surefoot.statistics.proportions import Proportion, clopper_pearson
from surefoot.store.looks import BEST, LookPlan, Question, Spending

SEEDS = 12
"""The most seeds of a study: few enough to try every sign pattern."""

AGAINST = Question("against", "arm 0")
ALL_PAIRS = Question("all-pairs")
SPREAD = sqrt(2) * OWN
WORSE = -1.5 * SPREAD
"""The lead of a first arm that is to leave: it is much worse."""

PROMISED_FROM = 10_000
"""Simulated studies behind a promise: its own error is then far below that of what is found."""


def plan(arms: int, spending: Spending = "obrien-fleming", question: Question = BEST) -> LookPlan:
    """Return the looks of a simulated study, as `--looks auto` plans them."""
    return LookPlan(even_looks(SEEDS, spending, question.pairs(arms)), spending, question)


EQUAL: tuple[tuple[SeedModel, int, LookPlan, float], ...] = (
    (NORMAL, 2, plan(2), 0.0),
    (TWO_BASINS, 2, plan(2), 0.0),
    (SKEWED, 2, plan(2, "pocock"), 0.0),
    (DIVERGING, 2, plan(2, "pocock"), 0.0),
    (NORMAL, 2, plan(2, "linear"), 0.0),
    (TWO_BASINS, 2, plan(2, "linear"), 0.0),
    (SKEWED, 4, plan(4), 0.0),
    (DIVERGING, 4, plan(4, "pocock"), 0.0),
    (NORMAL, 4, plan(4, question=ALL_PAIRS), 0.0),
    (SKEWED, 4, plan(4, "pocock", ALL_PAIRS), 0.0),
    (NORMAL, 4, plan(4, question=AGAINST), 0.0),
    (TWO_BASINS, 4, plan(4, "linear", AGAINST), 0.0),
    (NORMAL, 4, plan(4, "pocock"), WORSE),
    (TWO_BASINS, 4, plan(4, "linear", ALL_PAIRS), WORSE),
    (UNBOUNDED, 2, plan(2, "pocock"), 0.0),
    (UNBOUNDED, 4, plan(4, "linear", ALL_PAIRS), 0.0),
)
"""World, arms, looks and the lead of the first arm; the other arms are equal."""

BETTER: tuple[tuple[int, LookPlan, float], ...] = (
    (2, plan(2), 1.0),
    (2, plan(2, "pocock"), 1.0),
    (2, plan(2, "linear"), 1.0),
    (2, plan(2), 1.5),
    (4, plan(4, "pocock"), 1.5),
    (4, plan(4, question=AGAINST), 1.5),
)
"""Arms, looks and the lead of the first arm, in spreads of a difference."""


@dataclass(frozen=True)
class FalseLooks:
    """Studies with planned looks in which all arms are equal, or all but one that is `worse`.

    `rate` is how often two equal arms were told apart at any look, `left` how often some arm got no more seeds before
    the end.
    """

    world: str
    arms: int
    plan: LookPlan
    worse: bool
    rate: Proportion
    left: float

    @property
    def holds(self) -> bool:
        """Whether a true rate of at most 5 % explains what was seen."""
        return self.rate.low <= ALPHA


@dataclass(frozen=True)
class TrueLooks:
    """Studies with planned looks whose first arm is better, beside what a dry run `promised`.

    `seeds` is how many they took, `found` how often one given pair was found, both with 99 % intervals. With more than
    two arms at least as much is found as promised, with at most as many seeds.
    """

    arms: int
    plan: LookPlan
    promised: Course
    seeds: Interval
    found: Proportion

    @property
    def holds(self) -> bool:
        """Whether the promise is kept: met exactly for two arms, at least met for more."""
        low, high = self.seeds.low or 0.0, self.seeds.high or 0.0
        kept = self.promised.power <= self.found.high and low <= self.promised.seeds
        return kept and (self.arms > 2 or (self.found.low <= self.promised.power and self.promised.seeds <= high))


def false_looks(
    world: SeedModel, arms: int, looks: LookPlan, lead: float, studies: int, rng: np.random.Generator
) -> FalseLooks:
    """Count the studies in which two equal arms are told apart."""
    wrong = left = 0
    given = (lead,) if lead else ()
    for study in world.draw(rng, studies, arms, looks.most, *given):
        found, rows = played(study, world, looks)
        equal = [row for row in rows if not lead or "arm 0" not in (row.a, row.b)]
        wrong += any(row.distinguishable for row in equal)
        left += any(one.seeds < looks.most for one in found.left)
    rate = clopper_pearson(wrong, studies, LEVEL)
    return FalseLooks(world.name, arms, looks, bool(lead), rate, left / studies)


def true_looks(arms: int, looks: LookPlan, effect: float, studies: int, rng: np.random.Generator) -> TrueLooks:
    """Play studies of a known difference through. `effect` counts spreads of a difference."""
    taken, found = [], 0
    for study in NORMAL.draw(rng, studies, arms, looks.most, effect * SPREAD):
        interim, rows = played(study, NORMAL, looks)
        taken.append(float(interim.taken[-1]))
        (pair,) = [row for row in rows if {row.a, row.b} == {"arm 0", "arm 1"}]
        found += pair.distinguishable and pair.better == "arm 0"
    seeds = t_interval(taken, LEVEL)
    assert seeds is not None  # there is at least one study
    return TrueLooks(arms, looks, _promise(arms, looks, effect), seeds, clopper_pearson(found, studies, LEVEL))


def played(study: Scores, world: SeedModel, looks: LookPlan) -> tuple[Interim, Sequence[Comparison]]:
    """Return how a simulated study ends: what its looks decide, and every pair on the seeds that it then has."""
    results = by_label(study)
    looker = Looker(looks, range(looks.most), world.scale, {}, {})
    return looker.looked(results, {label: own.keys() for label, own in results.items()})


def _promise(arms: int, looks: LookPlan, effect: float) -> Course:
    """Return what a dry run says of such studies."""
    planned = Looks(looks.at, looks.most, 0, looks.spending, looks.at)
    pairs, step = looks.question.pairs(arms), NORMAL.scale.resolution / SPREAD
    return course(planned, effect, optimizers=arms, pairs=pairs, resolution=step, studies=PROMISED_FROM)
