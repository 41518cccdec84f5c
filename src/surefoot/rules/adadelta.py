"""Adadelta: the rate has the unit of a step over the unit of a gradient, so it needs (almost) no learning rate."""

from __future__ import annotations

from typing import Any

from surefoot.mathops import Array, sqrt
from surefoot.rule import Slot, Step, rule


@rule(
    slots=(
        Slot("v", positive=True, meaning="running mean of the squared gradients"),
        Slot("u", positive=True, meaning="running mean of the squared steps, before α"),
    ),
    source="Zeiler 2012, arXiv:1212.5701",
)
def adadelta(g: Array, state: Any, t: Array, *, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6) -> Step:  # noqa: ARG001
    """Divide the root mean square of past steps by that of past gradients; `lr` scales the result."""
    v = rho * state.v + (1 - rho) * g * g
    ratio = sqrt(state.u + eps) / sqrt(v + eps)
    u = rho * state.u + (1 - rho) * (ratio * g) * (ratio * g)
    return Step(rate=lr * ratio, direction=g, v=v, u=u)
