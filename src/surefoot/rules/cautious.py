"""Cautious: leave out the weights whose step goes against their gradient, and lengthen the others' steps."""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim
from surefoot.combinator import combinator
from surefoot.mathops import Array, maximum, mean, where
from surefoot.rule import Step

_SOURCE = "Liang et al. 2024, arXiv:2411.16085"


@combinator(
    source=_SOURCE,
    about=About(
        title="Cautious",
        adds="moves a weight only where the step goes the gradient's way, and the others as much farther",
        use=(Claim("Momentum that often points the wrong way: a step never climbs to first order.", "the formula"),),
        avoid=(
            Claim("Counting on a large gain: it solved 75.7 % of HeavyBall's tasks, AdamW 72.3 %.", "HeavyBall 3.2.1"),
        ),
    ),
)
def cautious(step: Step, g: Array, state: Any, t: Array) -> Step:  # noqa: ARG001
    """Move only weights whose step agrees with their gradient, and move those farther."""
    agrees = where(step.move * g > 0, 1.0, 0.0)
    return step.scaled(agrees / maximum(mean(agrees), 1e-3))
