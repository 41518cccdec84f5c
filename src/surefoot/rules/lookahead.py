"""Lookahead: a second set of weights that follows slowly, and pulls the fast ones back every few steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surefoot.about import About, Claim
from surefoot.combinator import combinator
from surefoot.mathops import Array, where
from surefoot.rule import WEIGHT, Slot

_SOURCE = "Zhang et al., NeurIPS 2019, arXiv:1907.08610"


def _slow(w: Array, state: Any, hyper: Mapping[str, Any]) -> Array:  # noqa: ARG001
    return state.slow


@combinator(
    source=_SOURCE,
    slots=(Slot("slow", start=WEIGHT, meaning="slow weights"),),
    about=About(
        title="Lookahead",
        adds="keeps slow weights, which go half of the way every five steps, and starts the fast ones there anew",
        use=(Claim("An inner rule that oscillates: the slow weights average its steps.", _SOURCE),),
        avoid=(Claim("Little memory: one number a weight more than the rule inside.", "the formula"),),
    ),
    evaluate=_slow,
)
def lookahead(
    w: Array, state: Any, t: Array, *, sync_period: float = 5, slow_step: float = 0.5
) -> tuple[Array, dict[str, Array]]:
    """Every few steps, go back part of the way to slow weights."""
    due = t % sync_period == 0
    slow = where(due, state.slow + slow_step * (w - state.slow), state.slow)
    return where(due, slow, w), {"slow": slow}
