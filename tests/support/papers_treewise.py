"""Rules that find their rate by sums over all weights, as their papers print them: the array given is all weights.

Several tensors are one vector to them.
"""

from __future__ import annotations

import numpy as np
from numpy import sqrt
from numpy.linalg import norm

from papers_weightwise import penalised


def mishchenko(h, x, gradients, rates):
    """Mishchenko & Defazio 2024, algorithm 4 (Prodigy), with the options of their code.

    In their code a step does not count while all gradients were 0, nor one of rate 0. `skips` False counts them, and
    decays in them: d stays where it cannot be estimated.
    """
    β1, β2, d0 = h["β₁"], h["β₂"], h["d0"]
    β3 = sqrt(β2)
    x0, m, v, s = x, np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    d = d_max = d0
    r, k = 0.0, 0
    for g, γ in zip(gradients, rates, strict=True):
        g = penalised(h, x, g)
        corrected = sqrt(1 - β2 ** (k + 1)) / (1 - β1 ** (k + 1)) if h["use_bias_correction"] else 1.0
        η = d * γ * corrected
        if γ == 0 and h["skips"]:
            yield x
            continue
        r = β3 * r + d / d0 * η * np.sum(g * (x0 - x))
        m = β1 * m + (1 - β1) * d * g
        v = β2 * v + (1 - β2) * d**2 * g**2
        s = β3 * s + d / d0 * (d if h["safeguard_warmup"] else η) * g
        if np.sum(abs(s)) > 0:
            d_hat = h["d_coef"] * r / np.sum(abs(s))
            d = max(d, d_hat) if d == d0 else d
            d_max = max(d_max, d_hat)
            d = min(d_max, d * h["growth_rate"])
        elif h["skips"]:
            yield x
            continue
        if h["decay"] == "decoupled":
            x = x - η * h["weight_decay"] * x
        x = x - η * np.divide(m, sqrt(v) + d * h["ε"])
        k += 1
        yield x


def ivgi(h, x, gradients, rates):
    """Ivgi et al. 2023, DoG: the largest distance so far over the root of all squared gradients; λ x is in them."""
    x0, G, r_bar = x, h["ε"], h["reps_rel"] * (1 + norm(x))
    for g, c in zip(gradients, rates, strict=True):
        g = penalised(h, x, g)
        r_bar = max(r_bar, norm(x - x0))
        G = G + np.sum(g**2)
        x = x - c * r_bar / sqrt(G) * g
        yield x


def khaled(h, x, gradients, rates):
    """Khaled et al. 2023, algorithm 1 (DoWG), with the code's ε: squared distance, and gradients weighed by it."""
    x0, v, r2 = x, 0.0, h["r²"]
    for g, c in zip(gradients, rates, strict=True):
        g = penalised(h, x, g)
        r2 = max(r2, np.sum((x - x0) ** 2))
        v = v + r2 * np.sum(g**2)
        x = x - c * r2 / (sqrt(v) + h["ε"]) * g
        yield x


def defazio_mishchenko(h, x, gradients, rates):
    """Defazio & Mishchenko 2023, algorithm 5 (D-Adaptation, Adam), as code 3.2; a step without any gradient is none."""
    β1, β2, ε = h["β₁"], h["β₂"], h["ε"]
    β3 = sqrt(β2)
    m, v, s = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    d, r, k = h["d0"], 0.0, 0
    for g, γ in zip(gradients, rates, strict=True):
        g = penalised(h, x, g)
        corrected = sqrt(1 - β2 ** (k + 1)) / (1 - β1 ** (k + 1)) if h["use_bias_correction"] else 1.0
        λ = d * γ * corrected
        inner = λ * np.sum(g * s / (sqrt(v) + ε))
        m = β1 * m + (1 - β1) * λ * g
        v = β2 * v + (1 - β2) * g**2
        s = β3 * s + (1 - β3) * λ * g
        if np.sum(abs(s)) == 0:
            yield x
            continue
        r = β3 * r + (1 - β3) * inner
        d = max(d, min(r / ((1 - β3) * np.sum(abs(s))), d * h["growth_rate"]))
        if h["decay"] == "decoupled":
            x = x - λ * h["weight_decay"] * x
        x = x - m / (sqrt(v) + ε)
        k += 1
        yield x


def defazio_mishchenko_sgd(h, x, gradients, rates):
    """Defazio & Mishchenko 2023, algorithm 4 (D-Adaptation, SGD), as code 3.2: rates are relative to |g_0|.

    Their code measures |g_0| before decay is in it, unlike the paper (`decayed_start`), and divides by 0 if it is 0.
    Here nothing begins before there is a gradient.
    """
    z = x0 = x
    s, d, r, G = np.zeros_like(x), h["d0"], 0.0, 0.0
    for g, γ in zip(gradients, rates, strict=True):
        bare, g = g, penalised(h, x, g)
        G = G or norm(g if h["decayed_start"] else bare)
        if G == 0:
            yield x
            continue
        λ = d * γ / G
        r = r + λ * np.sum(g * s)
        s = s + λ * g
        if norm(s) > 0:
            d = max(d, min(2 * r / norm(s), d * h["growth_rate"]))
        z = x0 - s
        x = h["momentum"] * x + (1 - h["momentum"]) * z
        yield x
