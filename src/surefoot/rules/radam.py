"""RAdam: Adam that waits until its mean square rests on enough gradients, and moves as momentum does until then.

What counts as enough is `threshold`, in degrees of freedom of the mean square. torch adds eps to the uncorrected root
(`eps_hat`), optax to the corrected one.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.mathops import Array, freedom, maximum, sqrt, where
from surefoot.rule import Slot, Step, rule
from surefoot.rules.adam import LR, adam
from surefoot.rules.spelling import BETAS, BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Liu et al., ICLR 2020, arXiv:1908.03265"
_DEFAULTS = {"lr": 1e-3, **BETAS, "eps": 1e-8}


@rule(
    slots=(
        Slot("m", meaning="running mean of the gradients"),
        Slot("v", positive=True, meaning="running mean of the squared gradients"),
    ),
    source=_SOURCE,
    parent=adam,
    about=About(
        title="RAdam",
        adds="shortens the first steps as long as its mean square rests on few gradients",
        use=(Claim("Adam without a warm-up to choose: the rectification takes its place.", _SOURCE),),
        avoid=(
            Claim(
                "Expecting more than a warm-up gives: a linear one over 2 / (1 - β₂) steps did as well.",
                "Ma & Yarats, AAAI 2021, arXiv:1910.04209",
            ),
        ),
        lr=LR.borrowed("Adam"),
        conventions={
            "torch": Convention(
                "torch.optim.RAdam",
                {**TORCH, **BETAS_TORCH, "decoupled": "decoupled_weight_decay"},
                {**_DEFAULTS, "weight_decay": 0.0, "decoupled": False},
                note="eps is added to the uncorrected root",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS},
                {**_DEFAULTS, "eps": 1e-7, "weight_decay": 0.0},
                {"decoupled": True},
                "Keras has none: torch's formula in Keras's spelling",
            ),
            "optax": Convention(
                "optax.radam",
                {**OPTAX, **BETAS_OPTAX, "threshold": "threshold"},
                {**BETAS, "eps": 1e-8, "threshold": 5.0},
                {"eps_hat": False},
                "eps is added to the corrected root",
            ),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "β₁", "beta2": "β₂"},
                {"lr": 1e-3, **BETAS, "threshold": 4.0 + 1e-6},
                {"eps_hat": False},
                "Algorithm 2: it rectifies above 4, and has no eps; give eps=0 to follow it into 0/0",
            ),
        },
    ),
)
def radam(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    threshold: float = 5.0,
    eps_hat: bool = True,
) -> Step:
    """Adam that divides by its mean square only once it is known well."""
    m = beta1 * state.m + (1 - beta1) * g
    v = beta2 * state.v + (1 - beta2) * g * g
    c1, c2 = 1 - beta1**t, sqrt(1 - beta2**t)
    known, most = freedom(t, beta2), 2 / (1 - beta2) - 1
    n, end = maximum(known, threshold), maximum(most, threshold)  # below it nothing is rectified
    rectified = lr * sqrt((n - 4) * (n - 2) * end / ((end - 4) * (end - 2) * n))
    root = sqrt(v) / c2 + (eps / c2 if eps_hat else eps)
    return Step(rate=where(known > threshold, rectified / c1 / root, lr / c1), direction=m, m=m, v=v)
