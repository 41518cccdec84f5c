"""Filters of gradients before any rule: MARS and Grokfast."""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim
from surefoot.combinator import combinator
from surefoot.mathops import Array, maximum, sqrt, total, where
from surefoot.rule import Slot

_MARS = "Yuan et al., ICML 2025, arXiv:2411.10438"
_GROKFAST = "Lee et al. 2024, arXiv:2405.20233"


@combinator(
    source=_MARS,
    slots=(Slot("gprev", meaning="gradient of the step before"),),
    about=About(
        title="MARS",
        adds="adds a share of the change since the last gradient, and cuts each tensor's sum to the length 1",
        use=(
            Claim(
                "Language models of 720 million weights: around AdamW it was among the best three.",
                "Semenov, Pagliardini & Jaggi 2025, arXiv:2509.01440",
            ),
        ),
        avoid=(Claim("Little memory: one number a weight more than the rule inside.", "the formula"),),
    ),
    defaults={"lr": 3e-3, "beta1": 0.95, "beta2": 0.99},
)
def mars(
    g: Array,
    state: Any,
    t: Array,  # noqa: ARG001
    *,
    beta1: float,
    mars_scale: float = 0.025,
) -> tuple[Array, dict[str, Array]]:
    """Correct each gradient by its change, which lowers its variance."""
    c = g + mars_scale * beta1 / (1 - beta1) * (g - state.gprev)
    return c / maximum(sqrt(total(c * c)), 1.0), {"gprev": g}


@combinator(
    source=_GROKFAST,
    slots=(Slot("gslow", meaning="slow mean of the gradients"),),
    about=About(
        title="Grokfast",
        adds="adds the slow part of the gradients once more, which makes it act sooner",
        use=(Claim("Small problems on which a network generalizes long after it has memorized.", _GROKFAST),),
        avoid=(Claim("Little memory: one number a weight more than the rule inside.", "the formula"),),
    ),
)
def grokfast(
    g: Array, state: Any, t: Array, *, slow_share: float = 0.98, slow_gain: float = 2.0
) -> tuple[Array, dict[str, Array]]:
    """Amplify the slow part of the gradients."""
    slow = where(t == 1, g, slow_share * state.gslow + (1 - slow_share) * g)
    return g + slow_gain * slow, {"gslow": slow}
