"""Lion: every weight moves equally far, against the sign of a mixture of momentum and gradient.

The step mixes with beta1 and the memory with beta2, so the newest gradient counts more in the step than in what is
kept. There is no eps and no bias to correct. Where the mixture is 0 nothing moves: rows of an embedding that were never
looked up stay.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Centre, Claim, Convention
from surefoot.mathops import Array, sign
from surefoot.rule import Slot, Step, rule
from surefoot.rules.sgd import momentum
from surefoot.rules.spelling import KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Chen et al., NeurIPS 2023, arXiv:2302.06675"
_BETAS = {"beta1": 0.9, "beta2": 0.99}


@rule(
    slots=(Slot("m", meaning="running mean of the gradients"),),
    source=_SOURCE,
    parent=momentum,
    pin={"decoupled": True},
    about=About(
        title="Lion",
        adds="keeps only the sign, so that every weight moves equally far",
        use=(
            Claim("Large batches: its gain over AdamW grew with the batch, and was largest at 4096.", _SOURCE),
            Claim("Half of Adam's state: one number a weight.", "the formula"),
        ),
        avoid=(
            Claim("AdamW's numbers: take a learning rate 3 to 10 times lower, and as much more weight decay.", _SOURCE),
            Claim("The last steps: they stay as long as the first unless the rate falls.", "the formula"),
        ),
        lr=Centre(-3.76, "Chen et al. 2023: 3 to 10 times lower than AdamW's, here as Adam's"),
        meanings={
            "beta1": "share of the mean gradient in the mixture whose sign is the step",
            "beta2": "share of the mean gradient kept each step",
        },
        conventions={
            "torch": Convention(
                "",
                {**TORCH, "beta1": "betas[0]", "beta2": "betas[1]"},
                {"lr": 1e-4, **_BETAS, "weight_decay": 0.0},
                note="torch has none: the authors' form and defaults, as in lion-pytorch",
            ),
            "keras": Convention(
                "keras.optimizers.Lion",
                {**KERAS, "beta1": "beta_1", "beta2": "beta_2"},
                {"lr": 1e-3, **_BETAS, "weight_decay": 0.0},
                note="the default rate is ten times the authors'",
            ),
            "optax": Convention(
                "optax.lion",
                {**OPTAX, "weight_decay": "weight_decay", "beta1": "b1", "beta2": "b2"},
                {**_BETAS, "weight_decay": 1e-3},
            ),
            "paper": Convention(
                "",
                {**PAPER, "weight_decay": "λ", "beta1": "β₁", "beta2": "β₂"},
                {"lr": 1e-4, **_BETAS, "weight_decay": 0.0},
                note="Algorithm 2",
            ),
        },
    ),
)
def lion(g: Array, state: Any, t: Array, *, lr: float = 1e-4, beta1: float = 0.9, beta2: float = 0.99) -> Step:  # noqa: ARG001
    """Go one fixed step against the sign of a mixture of momentum and gradient."""
    direction = sign(beta1 * state.m + (1 - beta1) * g)
    return Step(rate=lr, direction=direction, m=beta2 * state.m + (1 - beta2) * g)
