"""Muon: a momentum matrix whose directions all get the same size.

Momentum of a matrix has few large singular values and many small ones; what is rare is learned slowly. Muon sets all of
them near 1, by products of matrices. It is for hidden matrices alone: embeddings, the output head, biases and gains
take another rule (`surefoot.torch.split`).

Frameworks differ in what the buffer holds (a sum, a mean, a mean corrected for its start), in where eps stands, and in
how the rate depends on the shape. At the scale `rms` a step is as long as one of AdamW's, whose rate and decay then
serve; at `original`, Keller Jordan's, a rate of .02 is usual.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Centre, Claim, Convention
from surefoot.mathops import Array, cols, maximum, orthogonalize, rows, sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules.polynomials import Polynomial, polynomial
from surefoot.rules.sgd import momentum as momentum_rule
from surefoot.rules.spelling import KERAS, OPTAX, PAPER, TORCH

_JORDAN, _LIU = "Jordan et al. 2024", "Liu et al. 2025, arXiv:2502.16982"
_WEN = "Wen et al. 2025, arXiv:2509.02046"
_ORIGINAL = {"buffer_mean": True, "scale": "original"}
_MOMENTUM = {"momentum": 0.95, "eps": 1e-7}

NOT_MUON = Claim("Embeddings, output heads, biases and gains: give them AdamW.", _JORDAN)


@rule(
    slots=(Slot("m", meaning="momentum: fading sum of the gradients"),),
    source=f"{_JORDAN}; {_LIU}",
    parent=momentum_rule,
    pin={"decoupled": True},
    shape="matrix",
    about=About(
        title="Muon",
        adds="sets singular values near 1, by products of matrices",
        use=(
            Claim("Hidden matrices of large models: a language model of 16B in 52 % of AdamW's operations.", _LIU),
            Claim("Half of Adam's state: one number a weight.", "the formula"),
        ),
        avoid=(
            NOT_MUON,
            Claim("The same gain at any size: over tuned AdamW 1.4 times at 0.1B, 1.1 times at 1.2B.", _WEN),
            Claim(
                "Small batches: the products take as long at any batch size, 30 n per weight of a square.",
                "the formula",
            ),
        ),
        lr=Centre(-3.02, "Liu et al. 2025: AdamW's own, at the scale rms"),
        lr_at={
            ("scale", "original"): Centre(-1.70, "Jordan et al. 2024: 0.02, the default of their code"),
            ("scale", "spectral"): Centre(-1.70, "as at the scale original [assumed]"),
            ("scale", "none"): Centre(-1.70, "as at the scale original [assumed]"),
        },
        conventions={
            "torch": Convention(
                "torch.optim.Muon",
                {**TORCH, "momentum": "momentum", "eps": "eps"},
                {"lr": 1e-3, **_MOMENTUM, "weight_decay": 0.1},
                {**_ORIGINAL, "eps_floor": True},
                "its products are bfloat16 (products='bfloat16'); adjust_lr_fn 'match_rms_adamw' is the scale rms",
            ),
            "keras": Convention(
                "keras.optimizers.Muon",
                {**KERAS, "momentum": "momentum", "rms": "rms_rate"},
                {"lr": 1e-3, "momentum": 0.95, "rms": 0.2, "weight_decay": 4e-3},
                note="epsilon is that of the AdamW inside; rms_rate None is the scale none",
            ),
            "optax": Convention(
                "optax.contrib.muon",
                {**OPTAX, "momentum": "beta", "eps": "eps", "weight_decay": "weight_decay"},
                {"momentum": 0.95, "eps": 1e-8, "weight_decay": 0.0},
                {**_ORIGINAL, "bias_correction": True},
                "the mean is corrected for its start, one step further than the gradient; consistent_rms is rms",
            ),
            "paper": Convention(
                "",
                {**PAPER, "momentum": "μ", "weight_decay": "λ"},
                {"lr": 0.02, "momentum": 0.95, "weight_decay": 0.0},
                _ORIGINAL,
                "Keller Jordan's code; its scale is read off the last two sides, wrongly for a convolution",
            ),
            "moonlight": Convention(
                "",
                {"lr": "lr", "momentum": "momentum", "weight_decay": "wd"},
                {"lr": 1e-3, "momentum": 0.95, "weight_decay": 0.1},
                note="Moonlight, Liu et al. 2025: AdamW's rate and decay serve",
            ),
        },
    ),
)
def muon(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-3,
    momentum: float = 0.95,
    eps: float = 1e-7,
    nesterov: bool = True,
    bias_correction: bool = False,
    buffer_mean: bool = False,
    scale: str = "rms",
    rms: float = 0.2,
    coefficients: str | Polynomial = "keller",
    eps_floor: bool = False,
    products: str | None = None,
) -> Step:
    """Give every direction of the momentum's matrix the same size."""
    new = (1 - momentum) * g if buffer_mean else g
    m = momentum * state.m + new
    u = ahead(new, m, t, momentum, nesterov=nesterov, corrected=bias_correction)
    direction = orthogonalize(u, polynomial(coefficients), eps, floor=eps_floor, products=products)
    return Step(rate=lr * shape_factor(g, scale, rms), direction=direction, m=m)


def ahead(new: Array, m: Array, t: Array, mu: Array, *, nesterov: bool, corrected: bool) -> Array:
    """Return the matrix to make orthogonal: the momentum, or one step ahead of it."""
    if corrected:
        return mu * m / (1 - mu ** (t + 1)) + new / (1 - mu**t) if nesterov else m / (1 - mu**t)
    return new + mu * m if nesterov else m


def shape_factor(g: Array, scale: str, rms: Array) -> Array:
    """Return the factor of the rate that a matrix's shape asks for."""
    if scale == "rms":
        return rms * sqrt(maximum(rows(g), cols(g)))
    if scale == "original":
        return sqrt(maximum(rows(g) / cols(g), 1.0))
    return sqrt(rows(g) / cols(g)) if scale == "spectral" else 1.0
