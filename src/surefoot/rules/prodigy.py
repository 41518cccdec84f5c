"""Prodigy: Adam whose rate estimates, from gradients, how far the weights have to go.

The guess `d` is one number for all tensors of an optimizer, and never falls. The learning rate is a factor of it, and
stays 1. A step computes the new guess and takes the old one; the new one stands beside eps only. As long as all
gradients were zero there is nothing to guess from: `d` stays as it is, and weights do not decay.

The authors' `slice_p=11` keeps `s` and `w0` of every 11th entry, and is left out: which entries these are depends on
their order in memory, so that another layout, a shard or another framework would make other steps.
"""

from __future__ import annotations

import math
from typing import Any

from surefoot.about import About, Centre, Claim, Convention
from surefoot.mathops import Array, absolute, maximum, minimum, sqrt, total_all, where
from surefoot.rule import WEIGHT, Shared, Slot, Step, rule
from surefoot.rules.adam import adam
from surefoot.rules.spelling import BETAS, BETAS_KERAS, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Mishchenko & Defazio, ICML 2024, arXiv:2306.06101"
_CODE = "the authors' code, prodigyopt 1.1.2"
_DEFAULTS: dict[str, Any] = {
    "lr": 1.0,
    **BETAS,
    "beta3": None,
    "eps": 1e-8,
    "first_distance": 1e-6,
    "d_coef": 1.0,
    "growth_rate": math.inf,
    "weight_decay": 0.0,
}
_SWITCHES = {"bias_correction": False, "safeguard_warmup": False}
_TORCH = {
    **TORCH,
    **BETAS_TORCH,
    "beta3": "beta3",
    "decoupled": "decouple",
    "bias_correction": "use_bias_correction",
    "safeguard_warmup": "safeguard_warmup",
    "first_distance": "d0",
    "d_coef": "d_coef",
    "growth_rate": "growth_rate",
}
_OWN = {"first_distance": "d0", "d_coef": "d_coef", "growth_rate": "growth_rate"}
_OPTAX = {
    **OPTAX,
    "beta1": "b1",
    "beta2": "b2",
    "beta3": "beta3",
    "eps": "eps",
    "first_distance": "estim_lr0",
    "d_coef": "estim_lr_coef",
    "weight_decay": "weight_decay",
    "safeguard_warmup": "safeguard_warmup",
}


@rule(
    slots=(
        Slot("m", meaning="running mean of the gradients, times the guess of their step"),
        Slot("v", positive=True, meaning="running mean of the squares of the same"),
        Slot("s", meaning="fading sum of the gradients, weighed by the guess"),
        Slot("w0", start=WEIGHT, meaning="weights before the first step"),
        Shared("d", start="first_distance", meaning="guess of the distance to go"),
        Shared("dmax", start="first_distance", meaning="largest guess so far"),
        Shared("p", meaning="fading sum of how far the weights have gone along the gradients"),
    ),
    source=_SOURCE,
    parent=adam,
    about=About(
        scheduled=False,
        title="Prodigy",
        adds="multiplies the rate by a growing guess of the distance to go, so that there is none to tune",
        use=(
            Claim("Training without a learning rate to tune: it comes near to a tuned Adam.", _SOURCE),
            Claim("Fine-tuning of diffusion models, which is where it is used most.", "the authors' README"),
        ),
        avoid=(
            Claim("Another learning rate than 1: tune d_coef, from 0.5 to 2, where it moves too little.", _CODE),
            Claim("Little memory: four numbers a weight, twice as many as Adam's.", "the formula"),
            Claim("Groups that need rates of their own by much: all tensors share one guess.", "the formula"),
        ),
        lr=Centre(0.0, "Mishchenko & Defazio 2024: it stays 1"),
        meanings={
            "lr": "factor of the guessed rate: 1, or a schedule that starts from 1",
            "beta3": "share of the sums behind the guess kept each step; √β₂ if None",
        },
        conventions={
            "torch": Convention(
                "",
                _TORCH,
                {**_DEFAULTS, **_SWITCHES, "decoupled": True},
                note="torch has none: the authors' code. Steps without any gradient, or of rate 0, count here",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS, "beta3": "beta_3", **_OWN},
                _DEFAULTS,
                {"decoupled": True},
                "Keras has none: the authors' formula in Keras's spelling",
            ),
            "optax": Convention(
                "",
                _OPTAX,
                {
                    **{name: value for name, value in _DEFAULTS.items() if name in _OPTAX},
                    "safeguard_warmup": False,
                },
                {"bias_correction": True, "decoupled": True},
                "as optax.contrib.prodigy, whose betas are a pair, and whose guess is not-a-number for ever after a "
                "first gradient of zeros",
            ),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "β₁", "beta2": "β₂", "eps": "ε", **_OWN, "bias_correction": "use_bias_correction"},
                {**_DEFAULTS, "bias_correction": False},
                {"decoupled": True},
                "Algorithm 4",
            ),
        },
    ),
)
def prodigy(
    g: Array,
    w: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    beta3: float | None = None,
    eps: float = 1e-8,
    first_distance: float = 1e-6,
    d_coef: float = 1.0,
    growth_rate: float = math.inf,
    bias_correction: bool = False,
    safeguard_warmup: bool = False,
) -> Step:
    """Adam that guesses its own learning rate from the distance gone."""
    d, kept = state.d, sqrt(beta2) if beta3 is None else beta3
    share = d * sqrt(1 - beta2**t) / (1 - beta1**t) if bias_correction else d
    rate = share * lr
    m = beta1 * state.m + (1 - beta1) * d * g
    v = beta2 * state.v + (1 - beta2) * d * d * g * g
    s = kept * state.s + d / first_distance * (d if safeguard_warmup else rate) * g
    p = kept * state.p + total_all(d / first_distance * rate * g * (state.w0 - w))
    far = total_all(absolute(s))
    guess = d_coef * p / where(far > 0, far, 1.0)  # 0 before the first gradient
    dmax = maximum(state.dmax, guess)
    grown = minimum(dmax, growth_rate * where(d > first_distance, d, maximum(d, guess)))
    decay = where(far > 0, share, 0.0)
    return Step(rate=rate / (sqrt(v) + grown * eps), direction=m, decay=decay, m=m, v=v, s=s, d=grown, dmax=dmax, p=p)
