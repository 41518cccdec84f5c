"""Adamax: Adam whose divisor is the largest recent gradient instead of a root mean square.

torch and optax add eps to each gradient before they take the maximum (`eps_in_max`), so the maximum can never be 0.
Keras adds it to the maximum. The paper has none.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.mathops import Array, absolute, maximum
from surefoot.rule import Slot, Step, rule
from surefoot.rules.adam import LR, adam
from surefoot.rules.spelling import BETAS, BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Kingma & Ba, ICLR 2015, arXiv:1412.6980"


@rule(
    slots=(
        Slot("m", meaning="running mean of the gradients"),
        Slot("u", positive=True, meaning="largest recent gradient, fading"),
    ),
    source=_SOURCE,
    parent=adam,
    about=About(
        title="Adamax",
        adds="divides by the largest recent gradient instead of a root mean square",
        use=(Claim("A bound in plain sight: no step of a weight is longer than α.", _SOURCE),),
        avoid=(
            Claim("One large gradient: it shortens the steps of that weight for 1 / (1 - β₂) steps.", "the formula"),
        ),
        lr=LR.borrowed("Adam"),
        meanings={"beta2": "share of the largest recent gradient kept each step"},
        conventions={
            "torch": Convention(
                "torch.optim.Adamax",
                {**TORCH, **BETAS_TORCH},
                {"lr": 2e-3, **BETAS, "eps": 1e-8, "weight_decay": 0.0},
            ),
            "keras": Convention(
                "keras.optimizers.Adamax",
                {**KERAS, **BETAS_KERAS},
                {"lr": 1e-3, **BETAS, "eps": 1e-7, "weight_decay": 0.0},
                {"eps_in_max": False, "decoupled": True},
                "eps is added to the maximum, and not before it",
            ),
            "optax": Convention("optax.adamax", {**OPTAX, **BETAS_OPTAX}, {**BETAS, "eps": 1e-8}),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "b1", "beta2": "b2"},
                {"lr": 2e-3, **BETAS},
                {"eps_in_max": False},
                "Algorithm 2; it has no eps, give eps=0 to follow it into 0/0",
            ),
        },
    ),
)
def adamax(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    eps_in_max: bool = True,
) -> Step:
    """Follow the recent mean of the gradient, divided by the largest recent gradient."""
    m = beta1 * state.m + (1 - beta1) * g
    size = absolute(g) + eps if eps_in_max else absolute(g)
    u = maximum(beta2 * state.u, size)
    return Step(rate=lr / (1 - beta1**t) / (u if eps_in_max else u + eps), direction=m, m=m, u=u)
