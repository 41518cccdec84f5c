"""Published statements that a moment of computing repeats: what is stated, in which setting, and what ours does.

Each is run by the rules themselves in float64. A statement holds if our figure lies between two ends: the last digit
that was published, or a tolerance that stands with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from surefoot.conventions import resolve
from surefoot.mathops import orthogonalize
from surefoot.rules import RULES
from surefoot.rules.polynomials import POLYNOMIALS
from surefoot.selfcheck.algoperf import SCORES, SPACING, TIMES
from surefoot.statistics.suites import algoperf_score
from surefoot.update import begun, update


@dataclass(frozen=True)
class Figure:
    """A figure of ours beside the ends between which it must lie; `published` is how it was stated."""

    name: str
    published: str
    ours: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether ours lies between the ends; False if it is not a number."""
        return self.low <= self.ours <= self.high


@dataclass(frozen=True)
class Statement:
    """A published statement: the setting in which it is repeated, its source and its figures."""

    title: str
    setting: str
    source: str
    figures: tuple[Figure, ...]

    @property
    def holds(self) -> bool:
        """Whether every figure holds."""
        return all(figure.holds for figure in self.figures)


CYCLES = 2000
"""Cycles of Reddi's problem, of 101 steps each."""


def counterexample(cycles: int = CYCLES, near: float = 0.02) -> Statement:
    """Show that Adam goes to the worst point of a convex problem, and AMSGrad to the best.

    Args:
        cycles: number of cycles, of 101 steps each.
        near: how far from the end of the interval a mean over the last cycle may be.
    """
    ends = {rule: float(np.mean(_on_reddis_problem(rule, cycles))) for rule in ("adam", "amsgrad")}
    return Statement(
        "Reddi's counterexample",
        f"gradients 1010, then -10 a hundred times, on [-1, 1] from 0; rate 0.5 / sqrt(t), beta1 0.9, beta2 0.99; mean "
        f"of the last of {cycles:,} cycles, within {near:g}",
        "Reddi, Kale & Kumar, ICLR 2018, arXiv:1904.09237, section 3",
        (
            Figure("Adam", "+1, the worst point", ends["adam"], 1 - near, 1.0),
            Figure("AMSGrad", "-1, the best point", ends["amsgrad"], -1.0, -1 + near),
        ),
    )


def _on_reddis_problem(rule: str, cycles: int) -> list[float]:
    """Return the point after each step of the last cycle."""
    hyper = resolve(rule, "paper", {"lr": 0.5, "beta1": 0.9, "beta2": 0.99})
    step, x, path = _stepper(rule, hyper), 0.0, []
    for t in range(1, 101 * cycles + 1):
        x = min(max(step(x, 1010.0 if t % 101 == 1 else -10.0, t, 0.5 / sqrt(t)), -1.0), 1.0)
        path.append(x)
    return path[-101:]


def heavy_ball(steps: int = 3000) -> Statement:
    """Show that the best rate and momentum shrink a quadratic of condition number 100 by 9 / 11 a step."""
    curvature = np.linspace(1.0, 100.0, 100)
    hyper = resolve("momentum", "torch", {"lr": 4 / 121, "momentum": (9 / 11) ** 2})
    step, weights, size, before = _stepper("momentum", hyper, (100,)), np.ones(100), 1.0, 1.0
    for t in range(1, steps + 1):
        weights = step(weights, curvature * weights, t, hyper["lr"])
        before, size = size, float(np.abs(weights).max())
    return Statement(
        "The heavy ball's optimum on a quadratic",
        f"curvatures from 1 to 100, rate 4 / 121, momentum (9 / 11)^2; the ratio of two sizes after {steps:,} steps",
        "Polyak 1964; Goh, Distill 2017: (sqrt(k) - 1) / (sqrt(k) + 1) at condition number k",
        (Figure("shrinks a step by", ".818", size / before, 0.8175, 0.8185),),
    )


def newton_schulz() -> Statement:
    """Show that five steps of Keller Jordan's polynomial bring singular values near 1, and no nearer."""
    random = np.random.default_rng(0)
    left, right = (np.linalg.qr(random.normal(size=(64, 64)))[0] for _ in range(2))
    matrix = left @ np.diag(np.geomspace(0.01, 1.0, 64)) @ right
    values = np.linalg.svd(orthogonalize(matrix, POLYNOMIALS["keller"], 1e-7), compute_uv=False)
    return Statement(
        "Newton-Schulz's range",
        "a matrix of 64 rows with singular values from .01 to 1, five steps of Muon's polynomial, in float64",
        "Jordan et al. 2024, Muon: singular values between .5 and 1.5",
        tuple(
            Figure(f"{name} singular value", ".5 to 1.5", float(value), 0.5, 1.5)
            for name, value in (("smallest", values.min()), ("largest", values.max()))
        ),
    )


def algoperf() -> Statement:
    """Show that AlgoPerf's scores follow from its times in closed form."""
    ours = algoperf_score(TIMES)
    return Statement(
        "AlgoPerf's scores by our closed form",
        "their times to the targets of nine workloads; they sum a hundred points of the profile, which may differ from "
        f"the area by {SPACING:.4f}",
        "mlcommons/submissions_algorithms, branch a100_scoring, June 2026 (unofficial)",
        tuple(
            Figure(name, f"{score:.4f}", ours[name], score - SPACING, score + SPACING) for name, score in SCORES.items()
        ),
    )


STATEMENTS: tuple[Callable[[], Statement], ...] = (counterexample, heavy_ball, newton_schulz, algoperf)


def statements() -> Iterator[Statement]:
    """Compute every statement, one after the other."""
    return (one() for one in STATEMENTS)


def _stepper(rule: str, hyper: Mapping[str, Any], shape: tuple[int, ...] = ()) -> Callable[..., Any]:
    """Return a function that takes weights, gradient, step and rate to the next weights, and keeps the state.

    One weight alone is a number of Python's, which takes a fraction of an array's time.
    """
    made = RULES[rule]
    state = begun(made, hyper, np.zeros(shape))

    def step(weights: Any, gradient: Any, t: int, lr: float) -> Any:
        found = update(made, weights, gradient, state, t, {**hyper, "lr": lr})
        state.update(found.state)
        return found.weight

    return step
