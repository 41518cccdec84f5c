"""Adan: Adam with a mean of the gradients' differences, which looks ahead as Nesterov's momentum does.

It needs the gradient of the step before. Weight decay is proximal: weights are divided by 1 + lr * decay after the
move, instead of multiplied by 1 - lr * decay before it. The paper's betas are one minus those of the code, which are
meant here.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.mathops import Array, sqrt, where
from surefoot.rule import Slot, Step, rule
from surefoot.rules.adam import LR, adam
from surefoot.rules.spelling import BETAS_KERAS, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Xie et al., IEEE TPAMI 2024, arXiv:2208.06677"
_BETAS = {"beta1": 0.98, "beta2": 0.92, "beta3": 0.99, "eps": 1e-8}
_DEFAULTS = {"lr": 1e-3, **_BETAS, "weight_decay": 0.0}


@rule(
    slots=(
        Slot("m", meaning="running mean of the gradients"),
        Slot("d", meaning="running mean of the gradients' differences"),
        Slot("v", positive=True, meaning="running mean of the squared gradients, looking ahead"),
        Slot("p", meaning="gradient of the step before"),
    ),
    source=_SOURCE,
    parent=adam,
    pin={"decoupled": True, "decay": "proximal"},
    about=About(
        title="Adan",
        adds="adds the mean difference of successive gradients, which looks one step ahead",
        use=(Claim("Vision transformers and others in fewer epochs than AdamW, at higher rates.", _SOURCE),),
        avoid=(
            Claim("Little memory: four numbers a weight, twice as many as Adam's.", "the formula"),
            Claim("optax's adan: where 1 - b2 belongs it has b2, and the reverse.", "surefoot's test of the two"),
        ),
        lr=LR.borrowed("Adam"),
        meanings={
            "beta2": "share of the mean difference of gradients kept each step, and its weight in the step",
            "beta3": "share of the mean squared gradient, looking ahead, kept each step",
        },
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **BETAS_TORCH, "beta3": "betas[2]"},
                _DEFAULTS,
                note="torch has none: the authors' code",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS, "beta3": "beta_3"},
                _DEFAULTS,
                note="Keras has none: the authors' formula in Keras's spelling",
            ),
            "optax": Convention(
                "",
                {**OPTAX, "beta1": "b1", "beta2": "b2", "beta3": "b3", "eps": "eps", "weight_decay": "weight_decay"},
                {**_BETAS, "weight_decay": 0.0},
                note="optax.adan 0.2.8 mixes up b2 and 1 - b2: the authors' formula",
            ),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "β₁", "beta2": "β₂", "beta3": "β₃", "eps": "ε", "weight_decay": "λ"},
                _DEFAULTS,
                note="Algorithm 1; its betas are one minus these",
            ),
        },
    ),
)
def adan(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-3,
    beta1: float = 0.98,
    beta2: float = 0.92,
    beta3: float = 0.99,
    eps: float = 1e-8,
) -> Step:
    """Follow the mean gradient and its mean change, divided by their root mean square."""
    change = where(t == 1, state.d, g - state.p)  # the first has no gradient before it, and d is 0
    ahead = g + beta2 * change
    m = beta1 * state.m + (1 - beta1) * g
    d = beta2 * state.d + (1 - beta2) * change
    v = beta3 * state.v + (1 - beta3) * ahead * ahead
    rate = lr / (sqrt(v / (1 - beta3**t)) + eps)
    direction = m / (1 - beta1**t) + beta2 * (d / (1 - beta2**t))
    return Step(rate=rate, direction=direction, m=m, d=d, v=v, p=1.0 * g)  # an array of its own
