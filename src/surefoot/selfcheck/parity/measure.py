"""How far a front-end's weights are from the rule's, run on NumPy in float64 over the same float32 gradients.

A difference is counted in ulps, the gap between neighbouring float32 numbers, of the largest value that the weight has
had so far; and since each step adds its own roundings, it is divided by the number of steps. The largest over all
steps and weights is the figure: an error in a first step, where bias corrections are most delicate, is not diluted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from surefoot.conventions import resolve
from surefoot.rules import RULES
from surefoot.selfcheck.parity.cases import BLOCK, SCALES, Case, gradients, grid, start
from surefoot.selfcheck.parity.front import FrontEnd
from surefoot.selfcheck.parity.result import Row
from surefoot.update import update


def rows(front_end: FrontEnd, rules: Iterable[str] = RULES) -> Iterator[Row]:
    """Measure a front-end on the grid of some rules; a rule's cases at a time, which jax compiles together."""
    for rule in rules:
        ours = list(grid(rule))
        theirs = {case: own for case in ours if (own := case.theirs(front_end.framework))}
        jobs = [*ours, *theirs.values()]
        paths = dict(zip(jobs, front_end.drive(jobs, [start(case) for case in jobs], gradients()), strict=True))
        for case in ours:
            beside = paths[theirs[case]] if case in theirs else None
            yield from _rows(front_end.name, case, paths[case], beside)


def _rows(front_end: str, case: Case, path: np.ndarray, beside: np.ndarray | None) -> Iterator[Row]:
    right = expected(case, start(case), gradients())
    ours = ulps(path, right, start(case))
    theirs = [None] * len(SCALES) if beside is None else ulps(beside, right, start(case))
    for scale, own, other in zip(SCALES, ours, theirs, strict=True):
        yield Row(front_end, case.rule, case.convention, scale, case.decay, own, other)


def expected(case: Case, begin: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the weights after each step of the rule in float64."""
    rule = RULES[case.rule]
    hyper = resolve(case.rule, case.convention, {"lr": case.lr, "weight_decay": case.weight_decay})
    weight = begin.astype("float64")
    state = {slot: np.full_like(weight, value) for slot, value in rule.starts(hyper).items()}
    path = []
    for t, gradient in enumerate(rows.astype("float64"), start=1):
        weight, state, _ = update(rule, weight, gradient, state, t, hyper)
        path.append(weight)
    return np.array(path)


def ulps(path: np.ndarray, right: np.ndarray, begin: np.ndarray) -> list[float]:
    """Return for each size of gradients the largest difference of two paths, in ulps a step.

    Infinite where a weight is not a number.
    """
    peak = np.maximum.accumulate(np.abs(np.vstack([begin, right])))[1:]
    gap = np.abs(path - right) / np.spacing(peak.astype("float32")) / np.arange(1, len(right) + 1)[:, None]
    gap = np.where(np.isfinite(gap), gap, np.inf)
    return [float(gap[:, i * BLOCK : (i + 1) * BLOCK].max()) for i in range(len(SCALES))]
