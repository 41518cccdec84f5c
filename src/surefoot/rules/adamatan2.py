"""Adam-atan2: the angle of Adam's two means takes the place of their quotient.

An angle needs no eps: where both means are 0 it is 0. It grows with the quotient while that is small, and ends at a
quarter circle, so that no weight moves farther than pi / 2 times `lr * amplitude`. Gradients of any scale make the same
steps.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.mathops import Array, atan2, sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules.adam import LR, adam
from surefoot.rules.spelling import KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Everett et al., ICML 2024, arXiv:2407.05872"
_BETAS = {"beta1": 0.9, "beta2": 0.99, "amplitude": 1.27, "stretch": 1.0}
_DEFAULTS = {"lr": 1e-4, **_BETAS, "weight_decay": 0.0}
_OWN = {"amplitude": "a", "stretch": "b"}


@rule(
    slots=(
        Slot("m", meaning="running mean of the gradients"),
        Slot("v", positive=True, meaning="running mean of the squared gradients"),
    ),
    source=_SOURCE,
    parent=adam,
    pin={"decoupled": True},
    about=About(
        title="AdamAtan2",
        adds="divides nothing: the angle between the two means needs no ε",
        use=(Claim("Gradients that become tiny, as in wide models: no ε has to be scaled with them.", _SOURCE),),
        avoid=(Claim("Tiny gradients that are only noise: they make as long steps as large ones.", "the formula"),),
        lr=LR.borrowed("Adam"),
        conventions={
            "torch": Convention(
                "",
                {**TORCH, "beta1": "betas[0]", "beta2": "betas[1]", **_OWN},
                _DEFAULTS,
                note="torch has none: the form and the defaults of adam-atan2-pytorch",
            ),
            "keras": Convention(
                "",
                {**KERAS, "beta1": "beta_1", "beta2": "beta_2", **_OWN},
                _DEFAULTS,
                note="Keras has none: the authors' formula in Keras's spelling",
            ),
            "optax": Convention(
                "",
                {**OPTAX, "beta1": "b1", "beta2": "b2", **_OWN, "weight_decay": "weight_decay"},
                {**_BETAS, "weight_decay": 0.0},
                note="optax has none: the authors' formula in optax's spelling",
            ),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "β₁", "beta2": "β₂", **_OWN, "weight_decay": "λ"},
                _DEFAULTS,
                note="defaults as in adam-atan2-pytorch",
            ),
        },
    ),
)
def adamatan2(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-4,
    beta1: float = 0.9,
    beta2: float = 0.99,
    amplitude: float = 1.27,
    stretch: float = 1.0,
) -> Step:
    """Move each weight by the angle whose tangent is Adam's quotient."""
    m = beta1 * state.m + (1 - beta1) * g
    v = beta2 * state.v + (1 - beta2) * g * g
    angle = atan2(m / (1 - beta1**t), stretch * sqrt(v) / sqrt(1 - beta2**t))
    return Step(rate=lr * amplitude, direction=angle, m=m, v=v)
