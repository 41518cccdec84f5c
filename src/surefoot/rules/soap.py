"""SOAP: Adam in the coordinates in which a matrix's gradients do not mix.

Shampoo's two statistics are means of products of gradients, of rows and of columns. Their eigenvectors are the bases in
which Adam's mean square is kept. The mean of the gradients is kept in the weights' own coordinates: a new basis needs
no turn of it. Each direction keeps its place from basis to basis, so the mean square needs no sorting. The first step
only begins the statistics: no gradient meets coordinates that it has made itself.

What is no matrix takes AdamW. The first basis is the same on every machine, which the authors' code leaves open where a
matrix is not square (`eigenbasis`). If the first gradient is zero, it is that of the weights themselves.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Centre, Claim, Convention
from surefoot.mathops import Array, eigenbasis, every, maximum, sqrt, transpose, where
from surefoot.rule import Left, Right, Slot, Step, rule
from surefoot.rules.adam import adamw
from surefoot.rules.spelling import BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Vyas et al., ICLR 2025, arXiv:2409.11321"
_DEFAULTS = {"lr": 3e-3, "beta1": 0.95, "beta2": 0.95, "eps": 1e-8, "weight_decay": 1e-2, "period": 10.0}


@rule(
    slots=(
        Slot("m", meaning="mean of the gradients"),
        Slot("v", positive=True, meaning="mean of the squared gradients, in the two bases"),
        Left("L", meaning="mean of the products of rows"),
        Right("R", meaning="mean of the products of columns"),
        Left("A", meaning="basis of the rows"),
        Right("B", meaning="basis of the columns"),
    ),
    source=_SOURCE,
    parent=adamw,
    pin={"decoupled": True, "decay": "after"},
    shape="matrix",
    vector=adamw,
    about=About(
        title="SOAP",
        adds="takes coordinates in which a matrix's directions do not mix",
        use=(
            Claim("Language models of 360M and 660M, large batches: 40 % fewer steps than AdamW.", _SOURCE),
            Claim("A basis that is old: it loses less than Shampoo as the period grows.", _SOURCE),
        ),
        avoid=(
            Claim("Little memory: six numbers for each weight of a square matrix.", "the formula"),
            Claim("Counting on its gain: a replication found none over AdamW.", "arXiv:2509.22938"),
        ),
        lr=Centre(-2.52, "Vyas et al. 2025: 3e-3, the default of their code"),
        meanings={"beta2": "share of the mean square, and of the two statistics, kept each step"},
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **BETAS_TORCH, "period": "precondition_frequency"},
                _DEFAULTS,
                note="torch has none: the authors' code",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS, "period": "precondition_frequency"},
                _DEFAULTS,
                note="Keras has none: the authors' code in Keras's spelling",
            ),
            "optax": Convention(
                "",
                {**OPTAX, **BETAS_OPTAX, "weight_decay": "weight_decay", "period": "precondition_frequency"},
                {name: value for name, value in _DEFAULTS.items() if name != "lr"},
                note="optax has none: the authors' code in optax's spelling",
            ),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "β₁", "beta2": "β₂", "eps": "ε", "weight_decay": "λ", "period": "f"},
                _DEFAULTS,
                note="Algorithm 3; defaults as in the authors' code",
            ),
        },
    ),
)
def soap(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 3e-3,
    beta1: float = 0.95,
    beta2: float = 0.95,
    eps: float = 1e-8,
    period: float = 10.0,
) -> Step:
    """Step as Adam does, in the eigenvectors of what the gradients have been."""
    begun, counted = where(t > 1, 1.0, 0.0), maximum(t - 1, 1)
    m = beta1 * state.m + begun * (1 - beta1) * g
    turned = transpose(state.A) @ g @ state.B
    v = beta2 * state.v + (1 - beta2) * turned * turned
    direction = state.A @ ((transpose(state.A) @ m @ state.B) / (sqrt(v) + eps)) @ transpose(state.B)
    rows = beta2 * state.L + (1 - beta2) * (g @ transpose(g))
    columns = beta2 * state.R + (1 - beta2) * (transpose(g) @ g)
    return Step(
        rate=lr * sqrt(1 - beta2**counted) / (1 - beta1**counted),
        direction=direction,
        decay=begun,
        m=m,
        v=v,
        L=rows,
        R=columns,
        A=every(period, t - 1, lambda: eigenbasis(rows, state.A), state.A),
        B=every(period, t - 1, lambda: eigenbasis(columns, state.B), state.B),
    )
