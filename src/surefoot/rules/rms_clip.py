"""Clip a step by the root mean square of its gradients over their own roots: StableAdamW around AdamW.

Where a mean square is out of date, new gradients are large beside its root, and the step would be. `v` is corrected for
starting from zero, which comes to the same as the authors' corrected betas. The clipped rate is decay's rate, too.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.combinator import combinator
from surefoot.errors import UsageError
from surefoot.mathops import Array, maximum, mean, sqrt
from surefoot.rule import Step
from surefoot.rules.adam import LR, adamw
from surefoot.rules.spelling import BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Wortsman et al., NeurIPS 2023, arXiv:2304.13013"
_DEFAULTS = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.99, "eps": 1e-6, "weight_decay": 1e-2}


@combinator(
    source=_SOURCE,
    about=About(
        title="RmsClip",
        adds="shortens a tensor's step while its mean square lags behind the gradients",
        use=(Claim("Loss spikes that follow gradients which grow faster than their mean square.", _SOURCE),),
        avoid=(Claim("Single outliers in a large tensor: they hardly change its root mean square.", "the formula"),),
    ),
    defaults={"decay": "inside"},
)
def rms_clip(
    step: Step,
    g: Array,
    state: Any,  # noqa: ARG001
    t: Array,
    *,
    beta2: float,
    eps: float,
    clip_rms: float = 1.0,
) -> Step:
    """Shorten each tensor's step where its gradients exceed their root mean square."""
    if "v" not in step.state:
        raise UsageError("rms_clip needs a rule that keeps a mean square `v` of the gradients, such as adamw.")
    known = step.state["v"] / (1 - beta2**t)
    rms = sqrt(mean(g * g / maximum(known, eps * eps)))
    return step.scaled(1 / maximum(rms / clip_rms, 1.0))


stableadamw = rms_clip(adamw).variant(
    "stableadamw",
    "AdamW that takes shorter steps where its mean square lags behind the gradients.",
    pin={},
    source=_SOURCE,
    parent=adamw,
    about=About(
        title="StableAdamW",
        adds="divides the rate, tensor by tensor, by how large g / √v has become, if that is above 1",
        use=(Claim("Large models whose loss spikes: it did better than clipping of gradients.", _SOURCE),),
        avoid=(Claim("Single outliers in a large tensor: they hardly change its root mean square.", "the formula"),),
        lr=LR.borrowed("Adam"),
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **BETAS_TORCH},
                _DEFAULTS,
                note="torch has none: torch-optimi's form, whose corrected betas are Adam's correction",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS},
                _DEFAULTS,
                note="Keras has none: the authors' formula in Keras's spelling",
            ),
            "optax": Convention(
                "",
                {**OPTAX, **BETAS_OPTAX, "weight_decay": "weight_decay"},
                {name: value for name, value in _DEFAULTS.items() if name != "lr"},
                note="optax has none: the authors' formula in optax's spelling",
            ),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "β₁", "beta2": "β₂", "eps": "ε", "weight_decay": "λ"},
                _DEFAULTS,
                note="Algorithm 2; defaults as in torch-optimi",
            ),
        },
    ),
    beta2=0.99,
    eps=1e-6,
)
