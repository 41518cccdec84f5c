"""Modern rules that treat each weight by itself, as their papers print them; and how their weights decay.

Loops as in `papers.py`: each yields the weights after each step. `weight_decay` and `decay`, which says how, stand
beside the paper's own settings. A loop has no state but its own, so it counts from the first gradient of its tensor.
"""

from __future__ import annotations

import numpy as np
from numpy import sqrt


def penalised(h, θ, g):
    """Coupled decay: λ θ in the gradient."""
    return g + h["weight_decay"] * θ if h["decay"] == "coupled" else g


def decay(h, θ, u, α):
    """What decay takes from θ, beside the step α u; nothing if it is in the gradient or in u.

    Loshchilov & Hutter 2019; Defazio 2025, which corrects it (AdamC); Chen et al. 2025, which is cautious.
    """
    λθ = h["weight_decay"] * θ
    match h["decay"]:
        case "decoupled":
            return α * λθ
        case "corrected":
            return α**2 / h.get("lr_max", h["lr"]) * λθ
        case "cautious":
            return α * λθ * (u * θ >= 0)
        case _:
            return 0 * θ


def adam(h):
    """Kingma & Ba 2015, algorithm 1, as the inner optimizer A of another: A(θ, g, α) is the next θ."""
    b1, b2, m, v, t = h["β₁"], h["β₂"], 0.0, 0.0, 0

    def next_θ(θ, g, α):
        nonlocal m, v, t
        g, t = penalised(h, θ, g), t + 1
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        u = m / (1 - b1**t) / (sqrt(v / (1 - b2**t)) + h["ε"])
        return θ - decay(h, θ, u, α) - α * u

    return next_θ


def heavy_ball(h):
    """Gradient descent whose velocity has no rate in it (torch), as the inner optimizer of another."""
    v = 0.0

    def next_θ(θ, g, α):
        nonlocal v
        v = h["momentum"] * v + penalised(h, θ, g)
        return θ - decay(h, θ, v, α) - α * v

    return next_θ


def kingma_ba_decayed(h, θ, gradients, rates):
    """Adam with each kind of decay: AdamC is `corrected`, cautious decay is `cautious`."""
    A = adam(h)
    for g, α in zip(gradients, rates, strict=True):
        θ = A(θ, g, α)
        yield θ


def dozat(h, θ, gradients, rates):
    """Dozat 2016, algorithm 2, μ_t = β₁ (1 - 0.96^(ψ t) / 2); n is corrected as Adam's, as in every code."""
    β1, β2, ψ = h["β₁"], h["β₂"], h["ψ"]
    m = n = np.zeros_like(θ)
    product = 1.0
    for t, (g, α) in enumerate(zip(gradients, rates, strict=True), 1):
        g = penalised(h, θ, g)
        now, then = (β1 * (1 - 0.5 * 0.96 ** (ψ * k)) for k in (t, t + 1))
        product = product * now
        m = β1 * m + (1 - β1) * g
        n = β2 * n + (1 - β2) * g**2
        m_bar = (1 - now) * g / (1 - product) + then * m / (1 - product * then)
        u = m_bar / (sqrt(n / (1 - β2**t)) + h["ε"])
        θ = θ - decay(h, θ, u, α) - α * u
        yield θ


def dozat_constant(h, θ, gradients, rates):
    """NAdam with a constant μ. `ahead`: 1 corrects m for the step to come (optax), 0 for this one (timm, AlgoPerf)."""
    β1, β2 = h["β₁"], h["β₂"]
    m = n = np.zeros_like(θ)
    for t, (g, α) in enumerate(zip(gradients, rates, strict=True), 1):
        g = penalised(h, θ, g)
        m = β1 * m + (1 - β1) * g
        n = β2 * n + (1 - β2) * g**2
        m_bar = β1 * m / (1 - β1 ** (t + h["ahead"])) + (1 - β1) * g / (1 - β1**t)
        u = m_bar / (sqrt(n / (1 - β2**t)) + h["ε"])
        θ = θ - decay(h, θ, u, α) - α * u
        yield θ


def everett(h, θ, gradients, rates):
    """Everett et al. 2024, Adam-atan2: a atan2(m̂, b sqrt(v̂)) in place of the quotient; no eps."""
    β1, β2 = h["β₁"], h["β₂"]
    m = v = np.zeros_like(θ)
    for t, (g, α) in enumerate(zip(gradients, rates, strict=True), 1):
        g = penalised(h, θ, g)
        m = β1 * m + (1 - β1) * g
        v = β2 * v + (1 - β2) * g**2
        u = h["a"] * np.arctan2(m / (1 - β1**t), h["b"] * sqrt(v / (1 - β2**t)))
        θ = θ - decay(h, θ, u, α) - α * u
        yield θ


def bernstein(h, x, gradients, rates):
    """Bernstein et al. 2018, algorithm 2 (Signum): the sign of a mean of gradients."""
    β, m = h["β"], np.zeros_like(x)
    for g, δ in zip(gradients, rates, strict=True):
        m = β * m + (1 - β) * penalised(h, x, g)
        u = np.sign(m)
        x = x - decay(h, x, u, δ) - δ * u
        yield x


def yuan(h, x, gradients, rates):
    """Yuan et al. 2024, algorithm 2 in its approximate form (MARS-AdamW): c_t cut to the length 1, tensor by tensor."""
    A, γ, β1, before = adam(h), h["γ"], h["β₁"], np.zeros_like(x)
    for g, η in zip(gradients, rates, strict=True):
        c = g + γ * β1 / (1 - β1) * (g - before)
        c = c / max(1.0, np.linalg.norm(c))
        x, before = A(x, c, η), g
        yield x


def lee(h, θ, gradients, rates):
    """Lee et al. 2024, Grokfast-EMA around Adam: λ times a slow mean, which starts at the first gradient, on top."""
    A, μ = adam(h), gradients[0]
    for g, α in zip(gradients, rates, strict=True):
        μ = h["α"] * μ + (1 - h["α"]) * g
        θ = A(θ, g + h["λ"] * μ, α)
        yield θ
