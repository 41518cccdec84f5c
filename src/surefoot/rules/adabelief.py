"""AdaBelief: Adam that divides by how far gradients are from their mean, not by how large they are.

eps stands twice: once under the root, added at every step to what is kept, and once beside the root. The authors use
one number for both (`eps_twice`); optax has `eps_root` for the first.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.mathops import Array, sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules.adam import LR, adam
from surefoot.rules.spelling import BETAS, BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Zhuang et al., NeurIPS 2020, arXiv:2010.07468"
_DEFAULTS = {"lr": 1e-3, **BETAS, "eps": 1e-16}


@rule(
    slots=(
        Slot("m", meaning="running mean of the gradients"),
        Slot("s", positive=True, meaning="running mean of the squared distance of gradients from their mean"),
    ),
    source=_SOURCE,
    parent=adam,
    about=About(
        title="AdaBelief",
        adds="divides by the distance of gradients from their mean: gradients that agree make long steps",
        use=(Claim("Networks where SGD beats Adam: take eps 1e-8 there, and 1e-16 elsewhere.", "the authors' code"),),
        avoid=(
            Claim("Keeping Adam's eps: it is under the root here, and grows with every step.", "the formula"),
            Claim("Gradients without noise: the distance then goes to nothing, and steps grow.", "the formula"),
        ),
        lr=LR.borrowed("Adam"),
        meanings={"beta2": "share of the mean squared distance from the mean gradient kept each step"},
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **BETAS_TORCH},
                {**_DEFAULTS, "weight_decay": 0.0},
                {"decoupled": True},
                "torch has none: the authors' code (adabelief-pytorch 0.2.1) without rectification",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS},
                {**_DEFAULTS, "weight_decay": 0.0},
                {"decoupled": True},
                "Keras has none: the authors' formula in Keras's spelling",
            ),
            "optax": Convention(
                "optax.adabelief",
                {**OPTAX, **BETAS_OPTAX, "eps_root": "eps_root"},
                {**BETAS, "eps": 1e-16, "eps_root": 1e-16},
                {"eps_twice": False},
                "a number for each place of eps",
            ),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "β₁", "beta2": "β₂", "eps": "ε"},
                {"lr": 1e-3, **BETAS, "eps": 1e-8},
                note="Algorithm 2",
            ),
        },
    ),
)
def adabelief(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-16,
    eps_root: float = 1e-16,
    eps_twice: bool = True,
) -> Step:
    """Follow the mean gradient, divided by the root of its mean squared error."""
    m = beta1 * state.m + (1 - beta1) * g
    off = g - m
    s = beta2 * state.s + (1 - beta2) * off * off + (eps if eps_twice else eps_root)
    return Step(rate=lr / (1 - beta1**t) / (sqrt(s / (1 - beta2**t)) + eps), direction=m, m=m, s=s)
