"""Rules with a second point, as their papers print them: the gradient is taken at one, the other is evaluated.

Each loop yields the weights that training holds; with `evaluated`, those that evaluation asks for.
"""

from __future__ import annotations

from numpy import sqrt

from papers_weightwise import adam, heavy_ball

INNER = {"sgd": heavy_ball, "adam": adam}


def zhang(h, start, gradients, rates):
    """Zhang et al. 2019, algorithm 1 (Lookahead): k steps of A from φ, then φ goes the share α of the way."""
    A, θ, φ = INNER[h["A"]](h), start, start
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        θ = A(θ, g, rate)
        if t % h["k"] == 0:
            φ = φ + h["α"] * (θ - φ)
            θ = φ
        yield φ if h["evaluated"] else θ


def defazio(h, start, gradients, rates):
    """Defazio et al. 2024, algorithm 1 (Schedule-Free), with what their code 1.4.1 has as u and as weights of x.

    y = (1-β) z + β x;  z = z - γ u(y);  x = (1-c) x + c z,  c = t^r γ_max^p over the sum of these so far.
    """
    β, direction = h["β"], DIRECTION[h["u"]](h)
    x = y = z = start
    highest = total = 0.0
    for t, (g, γ) in enumerate(zip(gradients, rates, strict=True), 1):
        γ = γ * (min(t / h["warmup"], 1.0) if h["warmup"] else 1.0)
        u, rectified = direction(g, t)
        γ = γ * rectified
        highest = max(highest, γ)
        weight = t ** h["r"] * highest ** h["p"]
        total = total + weight
        c = weight / total if total > 0 else 0.0
        z = z - γ * (u + h["weight_decay"] * y)
        x = (1 - c) * x + c * z
        y = (1 - β) * z + β * x
        yield x if h["evaluated"] else y


def _gradient(_):
    return lambda g, _: (g, 1.0)


def _adam(h):
    """Adam without its first moment: the gradient over the corrected root."""
    v, β2 = 0.0, h["β₂"]

    def u(g, t):
        nonlocal v
        v = β2 * v + (1 - β2) * g**2
        return g / (sqrt(v / (1 - β2**t)) + h["ε"]), 1.0

    return u


def _radam(h):
    """RAdam without its first moment: before ρ > 4 it is the gradient, at rate 0 if `silent`."""
    β2, scaled = h["β₂"], _adam(h)
    ρ_inf = 2 / (1 - β2) - 1

    def u(g, t):
        adaptive, _ = scaled(g, t)
        ρ = ρ_inf - 2 * t * β2**t / (1 - β2**t)
        if ρ > 4:
            return adaptive, sqrt((ρ - 4) * (ρ - 2) * ρ_inf / ((ρ_inf - 4) * (ρ_inf - 2) * ρ))
        return g, 0.0 if h["silent"] else 1.0

    return u


DIRECTION = {"sgd": _gradient, "adamw": _adam, "radam": _radam}
