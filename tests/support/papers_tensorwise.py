"""Modern rules that need a sum over a tensor, as their papers print them: the arrays given are one tensor."""

from __future__ import annotations

import numpy as np
from numpy import sqrt
from numpy.linalg import norm

from papers_weightwise import decay, penalised


def trust(weights, step):
    """The layer's ratio |w| / |step|; 1 where either is 0, as every code has it."""
    return weights / step if weights > 0 and step > 0 else 1.0


def you_lamb(h, x, gradients, rates):
    """You et al. 2020, algorithm 2: λ x is inside of what the ratio measures, unless `decay` says otherwise (Keras).

    Keras decays before the step: its ratio sees the decayed weights.
    """
    β1, β2 = h["β₁"], h["β₂"]
    m = v = np.zeros_like(x)
    for t, (g, η) in enumerate(zip(gradients, rates, strict=True), 1):
        g = penalised(h, x, g)
        m = β1 * m + (1 - β1) * g
        v = β2 * v + (1 - β2) * g**2
        r = m / (1 - β1**t) / (sqrt(v / (1 - β2**t)) + h["ε"])
        x = x - decay(h, x, r, η)
        r = r + h["weight_decay"] * x if h["decay"] == "inside" else r
        x = x - η * trust(norm(x), norm(r)) * r
        yield x


def you_lars(h, w, gradients, rates):
    """You et al. 2017, algorithm 1: λ = η |w| / (|g| + β |w|), v = m v + γ λ (g + β w).

    `ratio`: `sum` measures |g + β w| (optax), `parts` |g| + β |w| (the paper, timm, pytorch_optimizer).
    `rate`: `inside` the velocity (the paper, optax), or `outside` of it (timm, pytorch_optimizer).
    λ is 1 where w is 0, and where what is measured is 0, or, `still`, where g is (timm).
    """
    v, β = np.zeros_like(w), h["weight_decay"]
    for g, γ in zip(gradients, rates, strict=True):
        whole = g + β * w
        size = norm(whole) if h["ratio"] == "sum" else norm(g) + β * norm(w)
        zero = norm(g) if h["still"] else size
        λ = h["η"] * norm(w) / size if norm(w) > 0 and zero > 0 else 1.0
        inside, outside = (γ, 1.0) if h["rate"] == "inside" else (1.0, γ)
        v = h["m"] * v + inside * λ * whole
        w = w - outside * v
        yield w


def wortsman(h, θ, gradients, rates):
    """Wortsman et al. 2023, algorithm 2 (StableAdamW): β̂ are corrected, and the rate is cut, decay's too."""
    m = v = np.zeros_like(θ)
    for t, (g, α) in enumerate(zip(gradients, rates, strict=True), 1):
        β1, β2 = (β * (1 - β ** (t - 1)) / (1 - β**t) for β in (h["β₁"], h["β₂"]))
        m = β1 * m + (1 - β1) * g
        v = β2 * v + (1 - β2) * g**2
        rms = sqrt(np.mean(g**2 / np.maximum(v, h["ε"] ** 2)))
        η = α / max(1.0, rms)
        u = m / (sqrt(v) + h["ε"])
        θ = θ - decay(h, θ, u, η) - η * u
        yield θ


def liang(h, w, gradients, rates):
    """Liang et al. 2024, algorithm 1 around AdamW: only what agrees with the gradient moves, and so much further.

    `ε_at`: `root` adds ε to the corrected root (timm), `raw` to the root before its correction (the authors).
    """
    β1, β2 = h["β₁"], h["β₂"]
    m = v = np.zeros_like(w)
    for t, (g, η) in enumerate(zip(gradients, rates, strict=True), 1):
        m = β1 * m + (1 - β1) * g
        v = β2 * v + (1 - β2) * g**2
        c1, c2 = 1 - β1**t, 1 - β2**t
        divisor = sqrt(v / c2) + h["ε"] / (sqrt(c2) if h["ε_at"] == "raw" else 1)
        u = m / c1 / divisor
        φ = np.where(u * g > 0, 1.0, 0.0)
        w = w - decay(h, w, u, η) - η * u * φ / max(np.mean(φ), 1e-3)
        yield w
