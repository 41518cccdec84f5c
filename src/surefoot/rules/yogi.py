"""Yogi: Adam whose mean square changes by at most the newest square, so that it cannot fall quickly.

Where Adam forgets a share of its mean square, Yogi takes off a share of the newest square. Rates then rise slowly after
gradients have become small.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Centre, Claim, Convention
from surefoot.mathops import Array, sign, sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules.adam import adam
from surefoot.rules.spelling import BETAS, BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Zaheer et al., NeurIPS 2018"
_DEFAULTS = {"lr": 1e-2, **BETAS, "eps": 1e-3, "initial_accumulator": 1e-6}


@rule(
    slots=(
        Slot("m", start="initial_accumulator", meaning="running mean of the gradients"),
        Slot("v", start="initial_accumulator", positive=True, meaning="mean of the squared gradients, changing slowly"),
    ),
    source=_SOURCE,
    parent=adam,
    about=About(
        title="Yogi",
        adds="lets its mean square fall no faster than by the newest square",
        use=(Claim("Rare large gradients: their square is not forgotten while gradients are small.", "the formula"),),
        avoid=(
            Claim(
                "Adam's eps: every implementation has 1e-3, which is a floor of the divisor.",
                "optax and torch-optimizer",
            ),
        ),
        lr=Centre(-2.0, "the default of its implementations: 1e-2"),
        meanings={
            "beta2": "one minus the share of a squared gradient by which the mean square rises or falls",
            "initial_accumulator": "value that both means start from",
        },
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **BETAS_TORCH, "initial_accumulator": "initial_accumulator"},
                {**_DEFAULTS, "weight_decay": 0.0},
                note="torch has none: as in torch-optimizer 0.3.0",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS, "initial_accumulator": "initial_accumulator_value"},
                {**_DEFAULTS, "weight_decay": 0.0},
                {"decoupled": True},
                "Keras has none: the paper's formula, corrected for its start, in Keras's spelling",
            ),
            "optax": Convention("optax.yogi", {**OPTAX, **BETAS_OPTAX}, {**BETAS, "eps": 1e-3}),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "β₁", "beta2": "β₂", "eps": "ε"},
                {**_DEFAULTS},
                {"bias_correction": False},
                "Algorithm 2: no bias correction",
            ),
        },
    ),
)
def yogi(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-2,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-3,
    initial_accumulator: float = 1e-6,  # noqa: ARG001  where the slots start
    bias_correction: bool = True,
) -> Step:
    """Follow the mean gradient, divided by the root of a slowly changing square."""
    m = beta1 * state.m + (1 - beta1) * g
    v = state.v - (1 - beta2) * sign(state.v - g * g) * g * g
    c1, c2 = (1 - beta1**t, 1 - beta2**t) if bias_correction else (1.0, 1.0)
    return Step(rate=lr / c1 / (sqrt(v / c2) + eps), direction=m, m=m, v=v)
