"""The grid: rules in every convention, with and without weight decay, on gradients of three sizes.

Rules for matrices are not on it: their products add up roundings of whole rows, so that a bound for each weight says
nothing of them. `NOT_ON_GRID` names them.

All sizes run side by side as blocks of one tensor. Without decay the weights start at 0, so that a weight is the sum of
its steps and an error of a step shows at any size. With decay they start near 1 and -1: there has to be something to
decay. Hyperparameters are those of the convention, and one learning rate for all.

A difference from the rule on NumPy in float64 is counted in ulps, the gap between neighbouring float32 numbers, of the
largest value that the weight has had so far; and since each step adds its own roundings, it is divided by the number of
steps. The largest over all steps and weights is the figure: an error in a first step, where bias corrections are most
delicate, is not diluted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from surefoot.conventions import CONVENTIONS, FRAMEWORKS
from surefoot.frontends.contract import FrontEnd, Setup, exact
from surefoot.rules import RULES
from surefoot.selfcheck.parity.result import Distance

STEPS = 20
SCALES = (1.0, 1e-4, 1e-8)
DECAY = 0.1
BLOCK = 8
"""Weights of each size."""

ON_GRID = tuple(name for name, rule in RULES.items() if rule.shape == "any")
NOT_ON_GRID = tuple(name for name in RULES if name not in ON_GRID)

_THEIR_FORM: dict[str, dict[str, Any]] = {
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "amsgrad": {"amsgrad": True},
}
"""The options that make another framework's class our rule."""


def grid(rule: str) -> Iterator[Setup]:
    """Yield every case of a rule."""
    for convention in FRAMEWORKS:
        for decay in (0.0, DECAY):
            yield Setup(rule, convention, weight_decay=decay)


def theirs(setup: Setup, framework: str) -> Setup | None:
    """Return the framework's own implementation of a case, if it has one."""
    rule = str(setup.rule)
    form = CONVENTIONS[rule][framework]
    call = form.call.rpartition(".")[2]
    # A class without a name for decay gets it in the gradient. A rule with decoupled decay puts none there.
    apart = setup.weight_decay and "weight_decay" not in form.names and RULES[rule].complete(form.switches)["decoupled"]
    if framework != setup.convention or not call or apart:
        return None
    return replace(setup, call=call, options={} if call == rule else _THEIR_FORM.get(rule, {}))


def gradients() -> np.ndarray:
    """Return float32 gradients: a row a step, a column a weight, a block of columns for each size."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((STEPS, BLOCK * len(SCALES))) + rng.choice([-0.5, 0.5], BLOCK * len(SCALES))
    return np.asarray(rows * np.repeat(SCALES, BLOCK), "float32")


def start(setup: Setup) -> np.ndarray:
    """Return the float32 weights before the first step."""
    size = np.tile(np.linspace(0.5, 1.5, BLOCK), len(SCALES))
    return np.asarray(np.resize([1.0, -1.0], size.shape) * size * bool(setup.weight_decay), "float32")


def distances(front_end: FrontEnd, rules: Iterable[str] = ON_GRID) -> Iterator[Distance]:
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
