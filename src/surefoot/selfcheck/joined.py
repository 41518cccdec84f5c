"""Calibration of what users join: looks with a margin, tuned families, arms that leave, seeds added later.

Each of these keeps its promise alone; here they meet in one study. Arms differ by whole test images, so the truth of
each pair is known. A study makes a false verdict if it tells equal arms apart, calls arms equal that differ by the
margin, or calls one not worse that is. Where arms are tuned, each family has its own 5 %, and the worst family counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from surefoot.analysis.interim import Looker
from surefoot.analysis.pairwise import Comparison, Looked, Scores
from surefoot.selfcheck.margins import GUESS, MARGIN, UNEVEN
from surefoot.selfcheck.planned_looks import AGAINST, ALL_PAIRS, plan
from surefoot.selfcheck.seed_models import (
    DIVERGING,
    IMAGES,
    LEVEL,
    LOST,
    MEAN,
    NORMAL,
    SKEWED,
    TWO_BASINS,
    SeedModel,
    by_label,
)
from surefoot.selfcheck.seed_models import Scores as Drawn
from surefoot.statistics.intervals import ALPHA
from surefoot.statistics.proportions import Proportion, clopper_pearson
from surefoot.store.looks import LookPlan
from surefoot.store.margin import Margin

EDGE = -round(MARGIN * IMAGES)
"""The lead in images, below 0, of an arm that is worse by just the margin."""

LATE = 4
"""Seeds that a user adds after the last look."""


@dataclass(frozen=True)
class JoinedDesign:
    """A simulated study.

    Attributes:
        world: how scores scatter.
        images: lead of each arm over the first in test images, 0 for equal ones.
        plan: its looks.
        tuned: whether the first half of the arms are the second half, tuned.
        margin: whether it has one.
        late: seeds that are added after the last look where the study is not decided.
    """

    world: SeedModel
    images: tuple[int, ...]
    plan: LookPlan
    tuned: bool = False
    margin: bool = True
    late: int = 0

    @property
    def own(self) -> dict[str, str]:
        """The untuned label of each tuned one."""
        half = len(self.images) // 2
        return {f"arm {i}": f"arm {i + half}" for i in range(half)} if self.tuned else {}

    @property
    def truth(self) -> dict[str, float]:
        """The mean of each arm minus that of the first."""
        alive = 1 - LOST if self.world is DIVERGING else 1.0
        lost = LOST * (MEAN - GUESS) if self.world is UNEVEN else 0.0
        return {f"arm {i}": alive * more / IMAGES - (lost if i else 0.0) for i, more in enumerate(self.images)}


def edge(world: SeedModel) -> int:
    """Return the lead in images that makes a mean worse by the margin, or one image more."""
    return int(np.floor(EDGE / (1 - LOST))) if world is DIVERGING else EDGE


MUCH = 3 * EDGE

DESIGNS: tuple[JoinedDesign, ...] = (
    JoinedDesign(NORMAL, (0, EDGE), plan(2)),
    JoinedDesign(SKEWED, (0, EDGE), plan(2, "pocock")),
    JoinedDesign(TWO_BASINS, (0, EDGE), plan(2, "linear")),
    JoinedDesign(DIVERGING, (0, edge(DIVERGING)), plan(2, "pocock")),
    JoinedDesign(UNEVEN, (0, 0), plan(2)),
    JoinedDesign(NORMAL, (0, EDGE, EDGE, EDGE), plan(4, question=ALL_PAIRS)),
    JoinedDesign(TWO_BASINS, (0, EDGE, EDGE, 0), plan(4, "pocock", AGAINST)),
    JoinedDesign(NORMAL, (0, EDGE, EDGE, MUCH), plan(4)),
    JoinedDesign(SKEWED, (0, 0, EDGE, MUCH), plan(4, "pocock")),
    JoinedDesign(DIVERGING, (0, 0, edge(DIVERGING), MUCH), plan(4, "linear", ALL_PAIRS)),
    JoinedDesign(NORMAL, (0,) * 6, plan(3), tuned=True, margin=False),
    JoinedDesign(SKEWED, (0,) * 4, plan(2, "pocock"), tuned=True, margin=False),
    JoinedDesign(DIVERGING, (0,) * 6, plan(3, "linear", ALL_PAIRS), tuned=True, margin=False),
    JoinedDesign(NORMAL, (0, EDGE, EDGE, 0), plan(2, "pocock"), tuned=True),
    JoinedDesign(TWO_BASINS, (0, EDGE, EDGE, 0, EDGE, EDGE), plan(3, "linear", AGAINST), tuned=True),
    JoinedDesign(NORMAL, (0, 0), plan(2, "pocock"), margin=False, late=LATE),
    JoinedDesign(NORMAL, (0, EDGE), plan(2, "linear"), late=LATE),
    JoinedDesign(SKEWED, (0, EDGE, EDGE, MUCH), plan(4, "pocock"), late=LATE),
)
"""The studies that are simulated."""


@dataclass(frozen=True)
class FalseClaims:
    """Studies of a design, and how often they make a false verdict of each kind.

    Attributes:
        design: what was simulated.
        apart: share of studies that tell equal arms apart.
        equal: share that call arms equal which differ by the margin.
        not_worse: share that call an arm not worse which is.
        seeds: how many a study takes on average.
        left: share in which an arm left before the end.
    """

    design: JoinedDesign
    apart: Proportion
    equal: Proportion
    not_worse: Proportion
    seeds: float
    left: float

    @property
    def holds(self) -> bool:
        """Whether true rates of at most 5 % explain what was seen."""
        return max(self.apart.low, self.equal.low, self.not_worse.low) <= ALPHA


def false_claims(design: JoinedDesign, studies: int, rng: np.random.Generator) -> FalseClaims:
    """Count the studies with a false claim of each kind."""
    wrong: Counter[tuple[str, str]] = Counter()
    taken, left = [], 0
    shape = studies, len(design.images), design.plan.most + design.late
    for study in design.world.draw(rng, *shape) + np.array(design.images)[:, None] / IMAGES:
        verdicts = tuple(_verdicts(design, study))
        wrong.update({found for rows, *_ in verdicts for row in rows for found in _wrong(row, design.truth)})
        _, seeds, gone = verdicts[-1]
        taken.append(seeds)
        left += gone

    def rate(kind: str) -> Proportion:
        most = max((count for (name, _), count in wrong.items() if name == kind), default=0)
        return clopper_pearson(most, studies, LEVEL)

    return FalseClaims(design, rate("apart"), rate("equal"), rate("not worse"), fmean(taken), left / studies)


def _wrong(row: Comparison, truth: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Yield what is false in a pair, with its family."""
    ahead, edge, near = truth[row.a] - truth[row.b], MARGIN - 1e-9, row.closeness
    if row.distinguishable and (ahead if row.better == row.a else -ahead) <= 0:
        yield "apart", row.family
    if near and near.equal and abs(ahead) >= edge:
        yield "equal", row.family
    if near and ((near.a_holds and -ahead >= edge) or (near.b_holds and ahead >= edge)):
        yield "not worse", row.family


def _verdicts(design: JoinedDesign, study: Drawn) -> Iterator[tuple[Sequence[Comparison], int, bool]]:
    """Yield every pair, the seeds and whether an arm left: after the planned looks, then with the seeds added."""
    scale, most = replace(design.world.scale, chance=GUESS), design.plan.most
    margin = Margin(MARGIN) if design.margin else None
    every = by_label(study)
    first = Looker(design.plan, range(most), scale, design.own, {}, margin)
    results = {label: {seed: own[seed] for seed in range(most)} for label, own in every.items()}
    found, rows = first.looked(results, {label: own.keys() for label, own in results.items()})
    yield rows, found.taken[-1], any(one.seeds < found.taken[-1] for one in found.left)
    if design.late and not found.decided:
        seen = first.until(results, found.taken[-1], found.left)
        before = _noted(design, seen, found.taken)
        question = LookPlan(question=design.plan.question)
        later = Looker(question, range(most + design.late), scale, design.own, before, margin)
        yield later.compare(every, ()), most + design.late, bool(found.left)


def _noted(design: JoinedDesign, seen: Mapping[str, Scores], taken: Sequence[int]) -> Looked:
    """Return the looks that each trial was part of, as a store notes them."""
    together = design.plan.question.together(len(seen) - len(design.own), list(design.own.values()))
    looks = {seed: design.plan.of(seed, 1, noted=taken, together=together) for seed in range(taken[-1])}
    return {label: {seed: looks[seed] for seed in own} for label, own in seen.items()}
