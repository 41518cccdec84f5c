"""D-Adaptation: Adam and SGD whose rate estimates how far the weights have to go; Prodigy's ancestor.

The guess `d` is one number for all tensors of an optimizer, and never falls. The learning rate is a factor of it, and
stays 1. As long as all gradients were zero there is nothing to guess from: `d` stays as it is.
"""

from __future__ import annotations

import math
from typing import Any

from surefoot.about import About, Centre, Claim, Convention
from surefoot.mathops import Array, absolute, maximum, minimum, sqrt, total_all, where
from surefoot.rule import WEIGHT, Shared, Slot, Step, rule
from surefoot.rules.adam import adam
from surefoot.rules.sgd import sgd
from surefoot.rules.spelling import BETAS, BETAS_KERAS, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Defazio & Mishchenko, ICML 2023, arXiv:2301.07733"
_CODE = "the authors' code, dadaptation 3.2"
_GROWTH = {"first_distance": 1e-6, "growth_rate": math.inf}
_OWN = {"first_distance": "d0", "growth_rate": "growth_rate"}
_LR = Centre(0.0, "Defazio & Mishchenko 2023: it stays 1")
_MEANINGS = {"lr": "factor of the guessed rate: 1, or a schedule that starts from 1"}
_ADAM = {"lr": 1.0, **BETAS, "eps": 1e-8, "weight_decay": 0.0, **_GROWTH}
_SGD = {"lr": 1.0, "momentum": 0.0, "weight_decay": 0.0, **_GROWTH}
_DISTANCE = Shared("d", start="first_distance", meaning="guess of the distance to go")


@rule(
    slots=(
        Slot("m", meaning="running mean of the gradients, times their rates"),
        Slot("v", positive=True, meaning="running mean of the squared gradients"),
        Slot("s", meaning="slow running mean of the gradients, times their rates"),
        _DISTANCE,
        Shared("p", meaning="slow running mean of what the gradients have in common with those before"),
    ),
    source=_SOURCE,
    parent=adam,
    about=About(
        scheduled=False,
        title="D-Adaptation Adam",
        adds="multiplies the rate by a guess of the distance to go, so that there is none to tune",
        use=(
            Claim("Training without a learning rate to tune: it matched hand-tuned rates on many problems.", _SOURCE),
        ),
        avoid=(
            Claim("A new start: Prodigy, by the same authors, guesses faster.", "Mishchenko & Defazio, ICML 2024"),
            Claim("Another learning rate than 1, unless it is unstable.", _CODE),
        ),
        lr=_LR,
        meanings=_MEANINGS,
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **BETAS_TORCH, **_OWN, "decoupled": "decouple", "bias_correction": "use_bias_correction"},
                {**_ADAM, "decoupled": False, "bias_correction": False},
                note="torch has none: the authors' code. Steps without any gradient, or of rate 0, count here",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS, **_OWN},
                _ADAM,
                {"decoupled": True},
                "Keras has none: the authors' formula in Keras's spelling",
            ),
            "optax": Convention(
                "",
                {
                    **OPTAX,
                    "beta1": "b1",
                    "beta2": "b2",
                    "eps": "eps",
                    "first_distance": "estim_lr0",
                    "weight_decay": "weight_decay",
                },
                {name: value for name, value in _ADAM.items() if name != "growth_rate"},
                {"bias_correction": True, "decoupled": True},
                "as optax.contrib.dadapt_adamw, whose betas are a pair, and whose guess is not-a-number after a "
                "first gradient of zeros",
            ),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "β₁", "beta2": "β₂", "eps": "ε", **_OWN, "bias_correction": "use_bias_correction"},
                {**_ADAM, "bias_correction": False},
                note="Algorithm 5",
            ),
        },
    ),
)
def dadapt_adam(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    first_distance: float = 1e-6,  # noqa: ARG001  the start of d
    growth_rate: float = math.inf,
    bias_correction: bool = False,
) -> Step:
    """Adam whose rate is a growing guess of the distance to go."""
    d, kept = state.d, sqrt(beta2)
    share = d * sqrt(1 - beta2**t) / (1 - beta1**t) if bias_correction else d
    rate = share * lr
    p = kept * state.p + (1 - kept) * total_all(rate * g * state.s / (sqrt(state.v) + eps))
    m = beta1 * state.m + (1 - beta1) * rate * g
    v = beta2 * state.v + (1 - beta2) * g * g
    s = kept * state.s + (1 - kept) * rate * g
    far = (1 - kept) * total_all(absolute(s))
    grown = maximum(d, minimum(p / where(far > 0, far, 1.0), d * growth_rate))
    decay = where(far > 0, share, 0.0)
    return Step(rate=1 / (sqrt(v) + eps), direction=m, decay=decay, m=m, v=v, s=s, d=grown, p=p)


@rule(
    slots=(
        Slot("s", meaning="sum of the gradients, times their rates"),
        Slot("w0", start=WEIGHT, meaning="weights before the first step"),
        _DISTANCE,
        Shared("p", meaning="sum of what the gradients have in common with those before"),
        Shared("G", meaning="length of the first gradient"),
    ),
    source=_SOURCE,
    parent=sgd,
    about=About(
        scheduled=False,
        title="D-Adaptation SGD",
        adds="takes the rate from a guess of the distance to go, over the length of the first gradient",
        use=(Claim("SGD without a learning rate to tune: it matched hand-tuned rates on many problems.", _SOURCE),),
        avoid=(
            Claim("Decoupled weight decay: weights are where the sum of the gradients says.", "the formula"),
            Claim("An outlier for a first gradient: all rates are relative to it.", "the formula"),
        ),
        lr=_LR,
        meanings={**_MEANINGS, "momentum": "share of the weights kept each step, before they go where the sum says"},
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **_OWN, "momentum": "momentum"},
                _SGD,
                note="torch has none: the authors' code. It measures the first gradient before decay is in it, and "
                "divides by zero where that is zero; here decay is in it, as in the paper",
            ),
            "keras": Convention(
                "",
                {**KERAS, **_OWN, "momentum": "momentum"},
                _SGD,
                note="Keras has none: the authors' formula in Keras's spelling, decay in the gradient",
            ),
            "optax": Convention(
                "",
                {**OPTAX, **_OWN, "momentum": "momentum"},
                {name: value for name, value in _SGD.items() if name not in ("lr", "weight_decay")},
                note="optax has none: the authors' formula in optax's spelling",
            ),
            "paper": Convention(
                "",
                {**PAPER, **_OWN, "momentum": "momentum"},
                _SGD,
                note="Algorithm 4",
            ),
        },
    ),
)
def dadapt_sgd(
    g: Array,
    w: Array,
    state: Any,
    t: Array,  # noqa: ARG001
    *,
    lr: float = 1.0,
    momentum: float = 0.0,
    first_distance: float = 1e-6,  # noqa: ARG001  the start of d
    growth_rate: float = math.inf,
) -> Step:
    """Gradient descent whose rate is a growing guess of the distance to go."""
    d, first = state.d, sqrt(total_all(g * g))
    G = where(state.G > 0, state.G, first)  # noqa: N806  the slot's name
    rate = d * lr / where(G > 0, G, 1.0)
    p = state.p + total_all(rate * g * state.s)
    s = state.s + rate * g
    far = sqrt(total_all(s * s))
    grown = maximum(d, minimum(2 * p / where(far > 0, far, 1.0), d * growth_rate))
    move = (1 - momentum) * (w - state.w0 + s)
    return Step(rate=rate * (1 - momentum), direction=g, move=move, s=s, d=grown, p=p, G=G)
