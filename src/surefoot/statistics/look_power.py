"""What planned looks cost and find: how many seeds a study takes, by simulation.

Scores are normal, and a paired difference has a spread of one. The test is that of the real study (`looks.py`), on
fewer sign patterns where there are many seeds. With several pairs, each is found at the strictest step of Holm's
correction: the real study finds at least as much, with at most as many seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from surefoot.statistics.argument_checks import Numbers, count
from surefoot.statistics.intervals import ALPHA
from surefoot.statistics.looks import LEVELS, Looks, drawn
from surefoot.statistics.permutation import BLOCK, signs

EFFECTS = (0.0, 0.66, 1.5)
"""No, a small and a large difference, in multiples of the spread of a difference over seeds."""

STUDIES = 1200
PATTERNS = 2000
MOST_PATTERNS = 6000
EXACT = 12
"""The most seeds with all sign patterns; beyond, `PATTERNS` for each tested pair are drawn, up to `MOST_PATTERNS`."""

HIGHER = 4
"""The number of higher levels that are tried too, where all sign patterns are."""

ROUNDING = 1e-5
"""The largest difference of sums of single-precision numbers that are equal on paper."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Course:
    """The course of a study with planned looks, for one true difference.

    Attributes:
        effect: the true difference, in multiples of its spread over seeds.
        seeds: mean number of seeds at the end.
        power: chance to find one given pair that the question needs, in the right direction.
    """

    effect: float
    seeds: float
    power: float


@lru_cache(maxsize=32)
def course(
    looks: Looks,
    effect: float,
    *,
    optimizers: int = 2,
    pairs: int = 1,
    apart: bool = False,
    resolution: float = 0.0,
    studies: int = STUDIES,
) -> Course:
    """Simulate studies and return their course.

    Args:
        looks: all planned looks.
        effect: the true difference, in multiples of its spread over seeds.
        optimizers: how many are compared. One is better than all others, and these are equal.
        pairs: number of pairs that are tested together.
        apart: whether every optimizer is better than the next instead, as for a question about all pairs.
        resolution: smallest step of a score, in multiples of the spread of a difference; 0 for none.
        studies: number of simulated studies; fewer with several optimizers, as each has more pairs.
    """
    rivals = count(optimizers, "optimizers", 2) - 1
    studies = max(200, count(studies, "studies") // rivals)
    rng = np.random.default_rng([0, 8])
    scores = np.sqrt(0.5) * rng.standard_normal((studies, optimizers, looks.at[-1]))
    scores -= effect * (np.arange(optimizers) if apart else np.arange(optimizers) > 0)[:, None]
    scores = np.round(scores / resolution) * resolution if resolution else scores
    gaps = scores[:, :-1] - scores[:, 1:] if apart else scores[:, :1] - scores[:, 1:]
    found = found_at(gaps.reshape(studies * rivals, -1), looks, ALPHA / pairs).reshape(studies, rivals)
    ends = np.minimum(found.max(axis=1), len(looks.at) - 1)
    at = np.append(looks.at, looks.at[-1])[found]
    sums = np.take_along_axis(gaps.cumsum(axis=2), at[:, :, None] - 1, axis=2)[:, :, 0]
    right = (found < len(looks.at)) & (sums > 0)
    return Course(effect, float(np.array(looks.at)[ends].mean()), float(right.mean()))


def found_at(gaps: Numbers, looks: Looks, level: float) -> NDArray[np.int64]:
    """Return the place of the look that finds each row of differences at this level; the number of looks for none.

    A p-value needs a finding at all higher levels too (`looks.p_value`). With few seeds, the bounds of a slightly
    higher level can be stricter, so the next ones are tried as well.
    """
    n = looks.at[-1]
    tried = signs(n) if n <= EXACT else drawn(n, min(MOST_PATTERNS, round(PATTERNS * ALPHA / level)))
    levels = [level, *[higher for higher in LEVELS if higher > level][-HIGHER:]] if n <= EXACT else [level]
    parts = np.array_split(gaps.astype(np.float32), max(1, ceil(len(gaps) * len(tried) * len(looks.at) / BLOCK)))
    patterns = tried.astype(np.float32)
    spent = [looks.spent(one) for one in levels]
    return np.concatenate([_found_at_all(part, looks, spent, patterns) for part in parts])


def _found_at_all(gaps: Floats, looks: Looks, spent: Sequence[Sequence[float]], patterns: Floats) -> NDArray[np.int64]:
    """Do as `found_at` for rows that fit into memory together; the first pattern is the one seen."""
    distances = [np.abs(gaps[:, :n] @ patterns[:, :n].T) for n in looks.at]
    last = np.zeros(len(gaps), dtype=np.int64)
    for shares in spent:
        (asked,) = np.nonzero(last < len(looks.at))  # what one level does not find at any look is not found
        last[asked] = np.maximum(last[asked], _found([one[asked] for one in distances], shares))
    return last


def _found(distances: Sequence[Floats], spent: Sequence[float]) -> NDArray[np.int64]:
    """Return the place of the look that finds each row at one level."""
    rows, patterns = distances[0].shape
    found, left, beyond = np.full(rows, len(distances)), np.arange(rows), np.zeros((rows, patterns), dtype=bool)
    for place, (every, share) in enumerate(zip(distances, spent, strict=True)):
        here = np.where(beyond, np.float32(-1), every[left])
        allowed = int(share * patterns * (1 + 1e-12)) - beyond.sum(axis=1)
        most = min(int(allowed.max(initial=0)) + 1, patterns)
        farthest = np.sort(np.partition(here, -most, axis=1)[:, -most:], axis=1)[:, ::-1]
        bound = np.take_along_axis(farthest, np.clip(allowed, 0, most - 1)[:, None], axis=1)
        beyond |= (here > bound + ROUNDING) & (allowed > 0)[:, None]
        found[left[beyond[:, 0]]] = place
        left, beyond = left[~beyond[:, 0]], beyond[~beyond[:, 0]]
    return found
