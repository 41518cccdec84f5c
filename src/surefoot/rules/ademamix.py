"""AdEMAMix: Adam that adds a second, much slower mean of the gradients to its direction.

The slow mean is not corrected for starting from zero, so it comes in gradually. The authors raise `mix` and `beta3`
from small values in long runs; here both are numbers, which a schedule can change.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.mathops import Array, sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules.adam import LR, adam
from surefoot.rules.spelling import BETAS, BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Pagliardini, Ablin & Grangier, ICLR 2025, arXiv:2409.03137"
_DEFAULTS = {"lr": 1e-3, **BETAS, "beta3": 0.9999, "mix": 2.0, "eps": 1e-8, "weight_decay": 0.0}
_PAPER = {"beta1": "β₁", "beta2": "β₂", "beta3": "β₃", "mix": "α", "eps": "ε", "weight_decay": "λ"}


@rule(
    slots=(
        Slot("m", meaning="fast mean of the gradients"),
        Slot("n", meaning="slow mean of the gradients"),
        Slot("v", positive=True, meaning="running mean of the squared gradients"),
    ),
    source=_SOURCE,
    parent=adam,
    pin={"decoupled": True},
    about=About(
        title="AdEMAMix",
        adds="adds a second mean that remembers ten thousand steps, where Adam's remembers ten",
        use=(
            Claim("Long runs: gradients thousands of steps old still helped language models.", _SOURCE),
            Claim(
                "Language models of 720 million weights: it led a comparison, with two others.",
                "Semenov, Pagliardini & Jaggi 2025, arXiv:2509.01440",
            ),
        ),
        avoid=(
            Claim("Short runs: the slow mean starts from zero and is not corrected.", "the formula"),
            Claim("Little memory: three numbers a weight, half as many again as Adam's.", "the formula"),
        ),
        lr=LR.borrowed("Adam"),
        meanings={
            "beta1": "share of the fast mean gradient kept each step",
            "beta3": "share of the slow mean gradient kept each step",
        },
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **BETAS_TORCH, "beta3": "betas[2]", "mix": "alpha"},
                _DEFAULTS,
                note="torch has none: the authors' code without its warm-ups",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS, "beta3": "beta_3", "mix": "alpha"},
                _DEFAULTS,
                note="Keras has none: the authors' formula in Keras's spelling",
            ),
            "optax": Convention(
                "optax.contrib.ademamix",
                {**OPTAX, **BETAS_OPTAX, "beta3": "b3", "mix": "alpha", "weight_decay": "weight_decay"},
                {**{name: value for name, value in _DEFAULTS.items() if name != "lr"}, "mix": 5.0},
                note="alpha is 5, where the authors' code has 2",
            ),
            "paper": Convention("", {**PAPER, **_PAPER}, {**_DEFAULTS, "mix": 8.0}, note="Algorithm 1, no warm-ups"),
        },
    ),
)
def ademamix(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    beta3: float = 0.9999,
    mix: float = 2.0,
    eps: float = 1e-8,
) -> Step:
    """Follow a fast and a slow mean gradient, divided by the root mean square."""
    m = beta1 * state.m + (1 - beta1) * g
    n = beta3 * state.n + (1 - beta3) * g
    v = beta2 * state.v + (1 - beta2) * g * g
    rate = lr / (sqrt(v / (1 - beta2**t)) + eps)
    return Step(rate=rate, direction=m / (1 - beta1**t) + mix * n, m=m, n=n, v=v)
