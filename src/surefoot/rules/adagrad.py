"""Adagrad: each weight's rate falls with the sum of its own squared gradients, and never rises again."""

from __future__ import annotations

from typing import Any

from surefoot.mathops import Array, sqrt
from surefoot.rule import Slot, Step, rule


@rule(
    slots=(Slot("s", start="initial_accumulator", positive=True, meaning="s₀ plus the squared gradients so far"),),
    source="Duchi, Hazan & Singer, JMLR 12, 2011",
)
def adagrad(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-2,
    lr_decay: float = 0.0,
    initial_accumulator: float = 0.0,  # noqa: ARG001  where the slot s starts
    eps: float = 1e-10,
    eps_inside: bool = False,
) -> Step:
    """Divide each weight's rate by the root of the sum of its squared gradients so far."""
    s = state.s + g * g
    root = sqrt(s + eps) if eps_inside else sqrt(s) + eps
    return Step(rate=lr / (1 + (t - 1) * lr_decay) / root, direction=g, s=s)
