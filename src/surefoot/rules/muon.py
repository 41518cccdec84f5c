"""Muon: a momentum matrix whose directions all get the same size.

Momentum of a matrix has few large singular values and many small ones; what is rare is learned slowly. Muon sets all of
them near 1, by products of matrices. It is for hidden matrices alone: embeddings, the output head, biases and gains
take another rule (`surefoot.torch.split`).
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim
from surefoot.mathops import Array, cols, maximum, orthogonalize, rows, sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules.polynomials import Polynomial, polynomial
from surefoot.rules.sgd import momentum as momentum_rule

_SOURCE = "Jordan et al. 2024; Liu et al. 2025, arXiv:2502.16982"


@rule(
    slots=(Slot("m", meaning="momentum: fading sum of the gradients"),),
    source=_SOURCE,
    parent=momentum_rule,
    pin={"decoupled": True},
    shape="matrix",
    about=About(
        title="Muon",
        adds="gives every direction of the momentum's matrix the same size",
        use=(Claim("Half of Adam's state: one number a weight.", "the formula"),),
        avoid=(
            Claim("Embeddings, output heads, biases and gains: give them AdamW.", "Jordan et al. 2024"),
            Claim("Small batches of small matrices: its products cost the same at any batch size.", "the formula"),
        ),
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
    share = 1 - momentum if buffer_mean else 1.0
    m = momentum * state.m + share * g
    u = _ahead(g, m, t, momentum, share, nesterov=nesterov, corrected=bias_correction)
    direction = orthogonalize(u, polynomial(coefficients), eps, floor=eps_floor, products=products)
    return Step(rate=lr * _size(g, scale, rms), direction=direction, m=m)


def _ahead(g: Array, m: Array, t: Array, mu: Array, share: Array, *, nesterov: bool, corrected: bool) -> Array:
    """Return what is made orthogonal: the momentum, or one step ahead of it."""
    if corrected:
        return mu * m / (1 - mu ** (t + 1)) + share * g / (1 - mu**t) if nesterov else m / (1 - mu**t)
    return share * g + mu * m if nesterov else m


def _size(g: Array, scale: str, rms: Array) -> Array:
    """Return the factor of the rate that a matrix's shape asks for."""
    if scale == "rms":
        return rms * sqrt(maximum(rows(g), cols(g)))
    if scale == "original":
        return sqrt(maximum(rows(g) / cols(g), 1.0))
    return sqrt(rows(g) / cols(g)) if scale == "spectral" else 1.0
