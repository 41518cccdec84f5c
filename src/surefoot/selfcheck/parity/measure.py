"""How far a front-end's weights are from the rule's, run on NumPy in float64 over the same float32 gradients.

A difference is counted in ulps, the gap between neighbouring float32 numbers, of the largest value that the weight has
had so far; and since each step adds its own roundings, it is divided by the number of steps. The largest over all
steps and weights is the figure: an error in a first step, where bias corrections are most delicate, is not diluted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from surefoot.frontends.contract import FrontEnd, Setup, exact
from surefoot.rules import RULES
from surefoot.selfcheck.parity.cases import BLOCK, SCALES, gradients, grid, start, theirs
from surefoot.selfcheck.parity.result import Distance


def distances(front_end: FrontEnd, rules: Iterable[str] = RULES) -> Iterator[Distance]:
    """Measure a front-end on the grid of some rules; a rule's cases at a time, which jax compiles together."""
    for rule in rules:
        ours = list(grid(rule))
        beside = [theirs(setup, front_end.framework) for setup in ours]
        jobs = [*ours, *filter(None, beside)]
        paths = iter(front_end.drive(jobs, [start(setup) for setup in jobs], gradients()))
        own = [next(paths) for _ in ours]
        for setup, path, other in zip(ours, own, beside, strict=True):
            yield from _distances(front_end.name, setup, path, None if other is None else next(paths))


def _distances(front_end: str, setup: Setup, path: np.ndarray, beside: np.ndarray | None) -> Iterator[Distance]:
    right, begin = exact(setup, start(setup), gradients()), start(setup)
    others = [None] * len(SCALES) if beside is None else ulps(beside, right, begin)
    for scale, own, other in zip(SCALES, ulps(path, right, begin), others, strict=True):
        yield Distance(front_end, str(setup.rule), setup.convention, scale, bool(setup.weight_decay), own, other)


def ulps(path: np.ndarray, right: np.ndarray, begin: np.ndarray) -> list[float]:
    """Return for each size of gradients the largest difference of two paths, in ulps a step.

    Infinite where a weight is not a number.
    """
    peak = np.maximum.accumulate(np.abs(np.vstack([begin, right])))[1:]
    gap = np.abs(path - right) / np.spacing(peak.astype("float32")) / np.arange(1, len(right) + 1)[:, None]
    gap = np.where(np.isfinite(gap), gap, np.inf)
    return [float(gap[:, i * BLOCK : (i + 1) * BLOCK].max()) for i in range(len(SCALES))]
