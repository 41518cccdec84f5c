"""The power of a number of seeds: the smallest difference that is found four times out of five.

Differences between two optimizers are taken seed by seed. So their own spread `sd` over seeds counts, not that of
either score. With several comparisons, every figure is for the strictest step of Holm's correction (alpha /
comparisons): the real power is at least that. "Found" means found in the right direction.

The power of the paired t-test has a closed form (noncentral t). That of the permutation test is simulated: each
simulated study with normal differences is solved for the true difference from which it is significant. Scores in whole
examples tie, and the test counts ties in full, which costs power on a small test set.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor, inf

import numpy as np
from scipy import optimize, stats

from surefoot.errors import UsageError
from surefoot.statistics.argument_checks import Numbers, count, positive
from surefoot.statistics.intervals import PLANNED
from surefoot.statistics.permutation import BLOCK, EXACT, FEWEST_PAIRS, fewest_pairs, sampled, signs

POWER = 0.8
STUDIES = 1000
PATTERNS = 10_000
"""The sign patterns beyond 16 seeds: fewer than the test tries, which hardly changes the power."""


def promised(
    sd: float,
    seeds: int,
    *,
    comparisons: int = 1,
    wanted: float = POWER,
    resolution: float = 0.0,
    studies: int = STUDIES,
) -> float:
    """Return the smallest true difference that the verdict finds with probability `wanted`, in the unit of `sd`.

    Print it before a study: a smaller difference most likely ends as "not distinguishable". It is for the test that
    `pairwise` picks, and infinite with fewer than `FEWEST_PAIRS` seeds, where nothing is tested.

    Args:
        sd: standard deviation of the paired differences over seeds.
        seeds: number of pairs, at least 2.
        comparisons: pairs of optimizers that are tested together: m (m - 1) / 2 for a family of m.
        wanted: power, between 0.05 and 1.
        resolution: smallest step of a score.
        studies: number of simulated studies, for the permutation test.
    """
    if seeds < FEWEST_PAIRS:
        return inf
    if seeds < fewest_pairs(comparisons):
        return detectable(sd, seeds, comparisons=comparisons, wanted=wanted)
    return permutation_detectable(
        sd, seeds, comparisons=comparisons, wanted=wanted, resolution=resolution, studies=studies
    )


def detectable(sd: float, seeds: int, *, comparisons: int = 1, wanted: float = POWER, alpha: float = PLANNED) -> float:
    """Return the difference as `promised` does, for the paired t-test, any number of seeds and any level."""
    level, aim = _strictest(seeds, comparisons, alpha), _aim(wanted)
    critical, freedom = stats.t.isf(level / 2, seeds - 1), seeds - 1

    def short(effect: float) -> float:
        return aim - float(stats.nct.sf(critical, freedom, effect * np.sqrt(seeds)))

    top = 1.0
    while short(top) > 0:
        top *= 2
    return positive(sd, "sd") * float(optimize.brentq(short, 0, top))


def permutation_detectable(
    sd: float,
    seeds: int,
    *,
    comparisons: int = 1,
    wanted: float = POWER,
    resolution: float = 0.0,
    studies: int = STUDIES,
    seed: int = 0,
    alpha: float = PLANNED,
) -> float:
    """Return the difference as `promised` does, for the permutation test; infinite below `fewest_pairs` seeds."""
    level, step = _strictest(seeds, comparisons, alpha), resolution / positive(sd, "sd")
    found = np.sort(_turning_points(seeds, level, count(studies, "studies"), seed, step))
    return sd * float(found[int(np.ceil(_aim(wanted) * len(found))) - 1])


def _strictest(seeds: int, comparisons: int, alpha: float) -> float:
    """Return the level of the strictest of the comparisons."""
    count(seeds, "seeds", 2)
    return alpha / count(comparisons, "comparisons")


def _aim(wanted: float) -> float:
    if not 0.05 < wanted < 1:  # below, the chance of a false finding is in the way
        raise UsageError(f"wanted is {wanted}; expected a power between 0.05 and 1, such as 0.8.")
    return wanted


@lru_cache(maxsize=8)
def _turning_points(seeds: int, level: float, studies: int, seed: int, step: float) -> Numbers:
    """Return for each simulated study of unit spread the true difference from which the test finds it.

    Scores are whole multiples of `step`, or any number if it is 0.
    """
    tried = 2 ** (seeds - 1) if seeds <= EXACT else PATTERNS + 1
    allowed = floor(level * tried * (1 + 1e-12)) - 1  # patterns besides the one seen that may be as far from zero
    if allowed < 0:
        return np.full(studies, inf)
    noise = np.random.default_rng([seed, seeds]).standard_normal((studies, seeds))
    # without the pattern seen, which is always far enough
    patterns = signs(seeds)[1:] if seeds <= EXACT else sampled(seeds, PATTERNS, seed).astype(np.float64)
    parts = np.array_split(noise, ceil(noise.shape[0] * len(patterns) / BLOCK))
    return np.concatenate([_crossings(part, patterns, allowed, step) for part in parts])


def _crossings(noise: Numbers, patterns: Numbers, allowed: int, step: float) -> Numbers:
    """Solve each row z of the noise for d: with d added to all pairs, all but `allowed` patterns s are nearer to zero.

    The sum under s is s.z + d sum(s), and the sum seen is sum(z) + d n. The first is as far from zero as the second
    until d has passed two crossings, one for each sign of the first. Two sums differ by twice the sum of some of the
    differences; where these are counted in steps, both are equal as long as that sum is below half a step.
    """
    under, seen = noise @ patterns.T, noise.sum(axis=1, keepdims=True)
    size, n = patterns.sum(axis=1), noise.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):  # a sampled pattern can be the one seen, or its opposite
        last = np.maximum((under - seen + step) / (n - size), (-under - seen + step) / (n + size))
    last[:, np.abs(size) == n] = inf
    return np.partition(last, -allowed - 1, axis=1)[:, -allowed - 1].copy()  # a view would keep all of it
