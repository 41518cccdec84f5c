"""ADOPT: divide by the mean square before this gradient, so that the two do not depend on each other.

The first step has nothing to divide by: it stores the gradient's square, and neither moves nor decays weights. What is
divided is cut off at (t - 1)^(1/4), which the authors added to their code in November 2024; at the first step that is
0. There is no bias to correct.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.mathops import Array, clip, maximum, minimum, sqrt, where
from surefoot.rule import Slot, Step, rule
from surefoot.rules.adam import LR, adam
from surefoot.rules.spelling import BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Taniguchi et al., NeurIPS 2024, arXiv:2411.02853"
_BETAS = {"beta1": 0.9, "beta2": 0.9999, "eps": 1e-6}


@rule(
    slots=(
        Slot("m", meaning="running mean of the divided gradients"),
        Slot("v", positive=True, meaning="running mean of the squared gradients before this one"),
    ),
    source=_SOURCE,
    parent=adam,
    about=About(
        title="ADOPT",
        adds="divides each gradient by the mean square before it, and takes the mean afterwards",
        use=(Claim("Where Adam's β₂ would have to be tuned to converge: it converges for any.", _SOURCE),),
        avoid=(Claim("Adam's β₂ and ε: here they are 0.9999 and 1e-6, and ε is a floor.", "the authors' code"),),
        lr=LR.borrowed("Adam"),
        meanings={"beta1": "share of the mean divided gradient kept each step"},
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **BETAS_TORCH, "decoupled": "decouple"},
                {"lr": 1e-3, **_BETAS, "weight_decay": 0.0, "decoupled": False},
                note="torch has none: the authors' code",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS},
                {"lr": 1e-3, **_BETAS, "weight_decay": 0.0},
                {"decoupled": True},
                "Keras has none: the authors' formula in Keras's spelling",
            ),
            "optax": Convention("optax.contrib.adopt", {**OPTAX, **BETAS_OPTAX}, _BETAS),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "β₁", "beta2": "β₂", "eps": "ε"},
                {"lr": 1e-3, **_BETAS},
                {"clipped": False},
                "Algorithm 2: nothing is cut off",
            ),
        },
    ),
)
def adopt(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.9999,
    eps: float = 1e-6,
    clipped: bool = True,
) -> Step:
    """Divide by the root of the mean square before this gradient: nothing to divide by, no first step."""
    n = g / maximum(sqrt(state.v), eps)
    if clipped:
        limit = (t - 1) ** 0.25
        n = clip(n, -limit, limit)
    m = beta1 * state.m + (1 - beta1) * n
    m = m if clipped else where(t == 1, state.m, m)
    v = where(t == 1, g * g, beta2 * state.v + (1 - beta2) * g * g)
    return Step(rate=lr, direction=m, decay=minimum(t - 1, 1.0), m=m, v=v)
