"""NorMuon: Muon whose rows, a neuron's inputs each, get the same size as well.

What Muon makes orthogonal has rows of different lengths. Each is divided by the root of its own mean square over the
steps, and the whole made as long again: to an exact root mean square at the scale `rms` (the paper), else to what it
was (the authors' code).
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.mathops import Array, mean, orthogonalize, size, sqrt, total, where
from surefoot.rule import Rows, Slot, Step, rule
from surefoot.rules.muon import NOT_MUON, ahead, muon, shape_factor
from surefoot.rules.polynomials import Polynomial, polynomial
from surefoot.rules.spelling import KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Li et al. 2025, arXiv:2510.05491"
_CODE = {"momentum": 0.95, "beta2": 0.95, "weight_decay": 0.0}
_ORIGINAL = {"scale": "original", "nesterov": True}


@rule(
    slots=(
        Slot("m", meaning="momentum: running mean of the gradients"),
        Rows("v", positive=True, meaning="mean square of each row of the orthogonal matrices"),
    ),
    source=_SOURCE,
    parent=muon,
    pin={"decoupled": True},
    shape="matrix",
    about=About(
        title="NorMuon",
        adds="divides each row by the root of its mean square over the steps",
        use=(Claim("Muon's cases: 11 % fewer steps than Muon at 1.1B parameters, 22 % than Adam.", _SOURCE),),
        avoid=(NOT_MUON,),
        lr=muon.related.lr,
        lr_at=muon.related.lr_at,
        meanings={"beta2": "share of a row's mean square kept each step"},
        conventions={
            "torch": Convention(
                "",
                {**TORCH, "momentum": "momentum", "beta2": "beta2"},
                {"lr": 0.02, **_CODE},
                _ORIGINAL,
                "torch has none: the authors' code",
            ),
            "keras": Convention(
                "",
                {**KERAS, "momentum": "momentum", "beta2": "beta_2"},
                {"lr": 0.02, **_CODE},
                _ORIGINAL,
                "Keras has none: the authors' code in Keras's spelling",
            ),
            "optax": Convention(
                "",
                {**OPTAX, "momentum": "beta", "beta2": "b2", "weight_decay": "weight_decay"},
                _CODE,
                _ORIGINAL,
                "optax 0.2.8 has none: the authors' code in optax's spelling",
            ),
            "paper": Convention(
                "",
                {**PAPER, "momentum": "β₁", "beta2": "β₂", "eps_rows": "ε", "weight_decay": "λ"},
                {"momentum": 0.95, "beta2": 0.95, "eps_rows": 1e-8, "weight_decay": 0.1},
                note="Algorithm 1: momentum itself, not a step ahead, and a root mean square of .2",
            ),
        },
    ),
)
def normuon(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-3,
    momentum: float = 0.95,
    beta2: float = 0.95,
    eps: float = 1e-7,
    eps_rows: float = 1e-10,
    nesterov: bool = False,
    scale: str = "rms",
    rms: float = 0.2,
    coefficients: str | Polynomial = "keller",
    products: str | None = None,
) -> Step:
    """Give every direction of the momentum's matrix the same size, and every row."""
    new = (1 - momentum) * g
    m = momentum * state.m + new
    u = ahead(new, m, t, momentum, nesterov=nesterov, corrected=False)
    orthogonal = orthogonalize(u, polynomial(coefficients), eps, products=products)
    v = beta2 * state.v + (1 - beta2) * mean(orthogonal * orthogonal, axis=1)
    direction = orthogonal / (sqrt(v) + eps_rows)
    made = _length(direction)
    wanted = rms * sqrt(size(g)) if scale == "rms" else shape_factor(g, scale, rms) * _length(orthogonal)
    return Step(rate=lr * wanted / where(made > 0, made, 1.0), direction=direction, m=m, v=v)


def _length(x: Array) -> Array:
    return sqrt(total(x * x))
