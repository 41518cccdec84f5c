"""Hyperball: weights keep the length that they began with, and a step turns them by a fixed angle.

The step of the rule inside says which way, the learning rate how far, as a share of the weights' length. It stands in
the place of weight decay, which keeps lengths in bounds only in the end. Weights that begin at zero have no length to
keep: they step as the rule inside does.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim
from surefoot.combinator import combinator
from surefoot.mathops import Array, sqrt, total, where
from surefoot.rule import Number, Step

_SOURCE = "Wen et al. 2026, arXiv:2606.16899"


@combinator(
    source=_SOURCE,
    slots=(Number("r0", meaning="length of the first weights"),),
    about=About(
        title="Hyperball",
        adds="keeps the length of the weights, and turns them by a fixed angle",
        use=(Claim("Muon at 0.1B to 1.2B parameters: 20 to 30 % fewer tokens than with weight decay.", _SOURCE),),
        avoid=(Claim("Gains and biases: their length is what they learn.", "the formula"),),
    ),
    defaults={"weight_decay": 0.0},
)
def hyperball(step: Step, g: Array, w: Array, state: Any, t: Array, *, lr: float) -> Step:  # noqa: ARG001
    """Turn the weights by a fixed angle, and keep their length."""
    radius = where(t == 1, _length(w), state.r0)
    ahead = w - lr * radius * _directed(step.move)
    return step.moving(where(radius > 0, w - radius * _directed(ahead), step.move)).keeping(r0=radius)


def _directed(x: Array) -> Array:
    far = _length(x)
    return x / where(far > 0, far, 1.0)


def _length(x: Array) -> Array:
    return sqrt(total(x * x))
