"""Adagrad: each weight's rate falls with the sum of its own squared gradients, and never rises again."""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Centre, Claim
from surefoot.mathops import Array, sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules.sgd import sgd


@rule(
    slots=(Slot("s", start="initial_accumulator", positive=True, meaning="s₀ plus the squared gradients so far"),),
    source="Duchi, Hazan & Singer, JMLR 12, 2011",
    parent=sgd,
    about=About(
        title="Adagrad",
        adds="gives each weight a rate of its own, which falls with the gradients that it has seen",
        use=(
            Claim(
                "Sparse features: a weight that rarely gets a gradient keeps a large rate until it does.",
                "Duchi, Hazan & Singer, JMLR 12, 2011",
            ),
        ),
        avoid=(
            Claim(
                "Long training: the sum only grows, so rates only fall, and large early gradients keep them low.",
                "Zeiler 2012, arXiv:1212.5701",
            ),
        ),
        lr=Centre(-2.00, "Sivaprasad et al. 2020: Adagrad"),
    ),
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
    """Divide each weight's rate by the root of its summed squared gradients."""
    s = state.s + g * g
    root = sqrt(s + eps) if eps_inside else sqrt(s) + eps
    return Step(rate=lr / (1 + (t - 1) * lr_decay) / root, direction=g, s=s)
