"""SOAP: Adam in the coordinates in which a matrix's gradients do not mix.

Shampoo's two statistics are means of products of gradients, of rows and of columns. Their eigenvectors are the bases in
which Adam's mean square is kept. The mean of the gradients is kept in the weights' own coordinates: a new basis needs
no turn of it. Each direction keeps its place from basis to basis, so the mean square needs no sorting. The first step
only begins the statistics: no gradient meets coordinates that it has made itself.
"""

from __future__ import annotations

from typing import Any

from surefoot.mathops import Array, eigenbasis, every, maximum, sqrt, transpose, where
from surefoot.rule import Left, Right, Slot, Step, rule
from surefoot.rules.adam import adamw

_SOURCE = "Vyas et al., ICLR 2025, arXiv:2409.11321"


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
