"""The algorithms as their papers print them, in the papers' own letters: plain loops, written without our rules.

Each is a generator that yields the parameters after each step. Its defaults are the paper's. Where a paper states an
algorithm for gradients taken elsewhere than at the parameters (Sutskever's Nesterov), the loop keeps the paper's two
sequences and yields the point at which the gradient is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import sqrt

Loop = Callable[[Any, np.ndarray, np.ndarray, np.ndarray], Iterator[np.ndarray]]


@dataclass(frozen=True)
class Paper:
    """An algorithm and its paper's settings."""

    loop: Loop
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def run(
        self, options: Mapping[str, Any], gradients: np.ndarray, start: np.ndarray, rates: np.ndarray | None
    ) -> np.ndarray:
        """Return the parameters after each step."""
        h = {**self.defaults, **options}
        if rates is None:
            rates = np.full(len(gradients), h["lr"])
        return np.array(list(self.loop(h, start, gradients, rates)))


def robbins_monro(_, x, gradients, rates):
    for g, a in zip(gradients, rates, strict=True):
        x = x - a * g
        yield x


def sutskever_classical(h, θ, gradients, rates):
    """Sutskever et al. 2013, equations 1 and 2."""
    v = np.zeros_like(θ)
    for g, ε in zip(gradients, rates, strict=True):
        v = h["momentum"] * v - ε * g
        θ = θ + v
        yield θ


def sutskever_nesterov(h, start, gradients, rates):
    """Sutskever et al. 2013, equations 3 and 4: the gradient is taken at θ + μ v, which is what we yield."""
    θ, v, μ = start, np.zeros_like(start), h["momentum"]
    for g, ε in zip(gradients, rates, strict=True):
        v = μ * v - ε * g
        θ = θ + v
        yield θ + μ * v


def duchi(h, x, gradients, rates):
    """Duchi et al. 2011, figure 1: s_t,i = ||g_1:t,i||, H_t = δ I + diag(s_t)."""
    for t in range(len(gradients)):
        s = np.linalg.norm(gradients[: t + 1], axis=0)
        x = x - rates[t] * gradients[t] / (h["δ"] + s)
        yield x


def zeiler(h, x, gradients, rates):
    """Zeiler 2012, algorithm 1; `lr` (1 in the paper) scales what is applied, not what is accumulated."""
    ρ, ε = h["ρ"], h["ε"]
    e_g = e_x = np.zeros_like(x)
    for g, a in zip(gradients, rates, strict=True):
        e_g = ρ * e_g + (1 - ρ) * g**2
        δx = -sqrt(e_x + ε) / sqrt(e_g + ε) * g
        e_x = ρ * e_x + (1 - ρ) * δx**2
        x = x + a * δx
        yield x


def graves(h, w, gradients, rates):
    """Graves 2013, equations 38 to 45."""
    aleph, beth, daleth = h["ℵ"], h["ℶ"], h["ℸ"]
    n = mean = delta = np.zeros_like(w)
    for ε, gimel in zip(gradients, rates, strict=True):
        n = aleph * n + (1 - aleph) * ε**2
        mean = aleph * mean + (1 - aleph) * ε
        delta = beth * delta - gimel * ε / sqrt(n - mean**2 + daleth)
        w = w + delta
        yield w


def kingma_ba(h, θ, gradients, rates):
    """Kingma & Ba 2015, algorithm 1."""
    b1, b2 = h["b1"], h["b2"]
    m = v = np.zeros_like(θ)
    for t, (g, a) in enumerate(zip(gradients, rates, strict=True), 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        θ = θ - a * m_hat / (sqrt(v_hat) + h["eps"])
        yield θ


def reddi(h, x, gradients, rates):
    """Reddi et al. 2018, algorithm 2, β₁ constant: no correction of the bias. It has no eps; `eps` adds one."""
    b1, b2 = h["b1"], h["b2"]
    m = v = v_hat = np.zeros_like(x)
    for g, a in zip(gradients, rates, strict=True):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        v_hat = np.maximum(v_hat, v)
        x = x - a * m / (sqrt(v_hat) + h["eps"])
        yield x


def loshchilov_hutter(h, θ, gradients, rates):
    """Loshchilov & Hutter 2019, algorithm 2, the part in green: η_t scales α and λ alike; α does not scale λ."""
    α, b1, b2 = h["lr"], h["b1"], h["b2"]
    m = v = np.zeros_like(θ)
    for t, (g, η) in enumerate(zip(gradients, rates / α, strict=True), 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        θ = θ - η * (α * m_hat / (sqrt(v_hat) + h["eps"]) + h["λ"] * θ)
        yield θ


def luo(h, x, gradients, rates):
    """Luo et al. 2019, algorithms 2 (AdaBound) and 3 (AMSBound), and their section 5's bounds; they have no eps."""
    b1, b2, γ, final = h["b1"], h["b2"], h["gamma"], h["final_lr"]
    m = v = top = np.zeros_like(x)
    for t, (g, α) in enumerate(zip(gradients, rates, strict=True), 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        top = np.maximum(top, v) if h["amsbound"] else v
        lower, upper = final - final / (γ * t + 1), final + final / (γ * t)
        η = np.minimum(np.maximum(α / (sqrt(top) + h["eps"]), lower), upper) / sqrt(t)
        x = x - η * m
        yield x


def luo_code_decoupled(h, x, gradients, rates):
    """The authors' code, with Keras's decoupled weight decay in place of its own."""
    m = v = top = np.zeros_like(x)
    for t, (g, lr) in enumerate(zip(gradients, rates, strict=True), 1):
        m = h["beta_1"] * m + (1 - h["beta_1"]) * g
        v = h["beta_2"] * v + (1 - h["beta_2"]) * g * g
        top = np.maximum(top, v) if h["amsbound"] else v
        step_size = lr * sqrt(1 - h["beta_2"] ** t) / (1 - h["beta_1"] ** t)
        final = h["final_lr"] * lr / h["learning_rate"]
        rate = np.clip(
            step_size / (sqrt(top) + h["epsilon"]), final * (1 - 1 / (1e-3 * t + 1)), final * (1 + 1 / (1e-3 * t))
        )
        x = x - x * h["weight_decay"] * lr - rate * m
        yield x


def chen(h, θ, gradients, rates):
    """Chen et al. 2023, algorithm 2."""
    β1, β2, λ = h["β₁"], h["β₂"], h.get("weight_decay", h["λ"])
    m = np.zeros_like(θ)
    for g, η in zip(gradients, rates, strict=True):
        u = np.sign(β1 * m + (1 - β1) * g)
        θ = θ - η * (u + λ * θ)
        m = β2 * m + (1 - β2) * g
        yield θ


def kingma_ba_adamax(h, θ, gradients, rates):
    """Kingma & Ba 2015, algorithm 2. It has no eps; `eps` adds one to the divisor, as Keras does."""
    b1, b2 = h["b1"], h["b2"]
    m = u = np.zeros_like(θ)
    for t, (g, α) in enumerate(zip(gradients, rates, strict=True), 1):
        m = b1 * m + (1 - b1) * g
        u = np.maximum(b2 * u, abs(g))
        θ = θ - α / (1 - b1**t) * m / (u + h["eps"])
        yield θ


def liu(h, θ, gradients, rates):
    """Liu et al. 2020, algorithm 2. It has no eps; `eps` adds one to the root."""
    β1, β2 = h["β₁"], h["β₂"]
    m = v = np.zeros_like(θ)
    ρ_inf = 2 / (1 - β2) - 1
    for t, (g, α) in enumerate(zip(gradients, rates, strict=True), 1):
        v = β2 * v + (1 - β2) * g**2
        m = β1 * m + (1 - β1) * g
        m_hat = m / (1 - β1**t)
        ρ = ρ_inf - 2 * t * β2**t / (1 - β2**t)
        if ρ > 4:
            v_hat = sqrt(v / (1 - β2**t))
            r = sqrt((ρ - 4) * (ρ - 2) * ρ_inf / ((ρ_inf - 4) * (ρ_inf - 2) * ρ))
            θ = θ - α * r * m_hat / (v_hat + h["eps"])
        else:
            θ = θ - α * m_hat
        yield θ


def zhuang(h, θ, gradients, rates):
    """Zhuang et al. 2020, algorithm 2; `decay` is the decoupled one of their code, which acts before the step."""
    β1, β2, ε = h["β₁"], h["β₂"], h["ε"]
    m = s = np.zeros_like(θ)
    for t, (g, α) in enumerate(zip(gradients, rates, strict=True), 1):
        m = β1 * m + (1 - β1) * g
        s = β2 * s + (1 - β2) * (g - m) ** 2 + ε
        m_hat, s_hat = m / (1 - β1**t), s / (1 - β2**t)
        θ = θ * (1 - α * h["weight_decay"]) - α * m_hat / (sqrt(s_hat) + ε)
        yield θ


def zaheer(h, x, gradients, rates):
    """Zaheer et al. 2018, algorithm 2, started at 1e-6 as its implementations are."""
    β1, β2, ε = h["β₁"], h["β₂"], h["ε"]
    m = v = np.full_like(x, 1e-6)
    for g, η in zip(gradients, rates, strict=True):
        m = β1 * m + (1 - β1) * g
        v = v - (1 - β2) * np.sign(v - g**2) * g**2
        x = x - η * m / (sqrt(v) + ε)
        yield x


def taniguchi(h, θ, gradients, rates):
    """Taniguchi et al. 2024, algorithm 2, as their code has it: `clip` cuts off, `decouple` decays weights."""
    β1, β2, ε = h["β₁"], h["β₂"], h["ε"]
    m, v = np.zeros_like(θ), None
    for step, (g, α) in enumerate(zip(gradients, rates, strict=True)):
        g = g if h["decouple"] else g + h["weight_decay"] * θ
        if step == 0:
            v = g**2
            yield θ
            continue
        θ = θ - α * h["weight_decay"] * θ if h["decouple"] else θ
        n = g / np.maximum(sqrt(v), ε)
        n = np.clip(n, -(step**0.25), step**0.25) if h["clip"] else n
        m = m + (1 - β1) * (n - m)
        θ = θ - α * m
        v = β2 * v + (1 - β2) * g**2
        yield θ


def pagliardini(h, θ, gradients, rates):
    """Pagliardini et al. 2025, algorithm 1, α and β₃ constant."""
    β1, β2, β3, α, ε, λ = (h[name] for name in ("β₁", "β₂", "β₃", "α", "ε", "λ"))
    λ = h.get("weight_decay", λ)
    m1 = m2 = ν = np.zeros_like(θ)
    for t, (g, η) in enumerate(zip(gradients, rates, strict=True), 1):
        m1 = β1 * m1 + (1 - β1) * g
        m2 = β3 * m2 + (1 - β3) * g
        ν = β2 * ν + (1 - β2) * g**2
        θ = θ - η * ((m1 / (1 - β1**t) + α * m2) / (sqrt(ν / (1 - β2**t)) + ε) + λ * θ)
        yield θ


def xie(h, θ, gradients, rates):
    """Xie et al. 2024, algorithm 1, corrected for its start as in their code; β as there, one minus the paper's."""
    β1, β2, β3, ε = h["β₁"], h["β₂"], h["β₃"], h["ε"]
    λ = h.get("weight_decay", h["λ"])
    m = v = n = np.zeros_like(θ)
    before = gradients[0]
    for k, (g, η) in enumerate(zip(gradients, rates, strict=True), 1):
        m = β1 * m + (1 - β1) * g
        v = β2 * v + (1 - β2) * (g - before)
        n = β3 * n + (1 - β3) * (g + β2 * (g - before)) ** 2
        denominator = sqrt(n) / sqrt(1 - β3**k) + ε
        θ = (θ - η * (m / (1 - β1**k) + β2 * v / (1 - β2**k)) / denominator) / (1 + λ * η)
        before = g
        yield θ


_ADAM = {"lr": 1e-3, "b1": 0.9, "b2": 0.999}
_LUO = {**_ADAM, "eps": 0.0, "final_lr": 0.1, "gamma": 1e-3}
_KERAS_LUO = {
    "learning_rate": 1e-3,
    "lr": 1e-3,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "epsilon": 1e-7,
    "final_lr": 0.1,
    "weight_decay": 0.0,
}

_β = {"lr": 1e-3, "β₁": 0.9, "β₂": 0.999}

PAPERS = {
    "sgd": Paper(robbins_monro),
    "momentum": Paper(sutskever_classical, {"momentum": 0.9}),
    "nesterov": Paper(sutskever_nesterov, {"momentum": 0.9}),
    "adagrad": Paper(duchi, {"δ": 0.0}),
    "adadelta": Paper(zeiler, {"lr": 1.0, "ρ": 0.95, "ε": 1e-6}),
    "rmsprop": Paper(graves, {"lr": 1e-4, "ℵ": 0.95, "ℶ": 0.9, "ℸ": 1e-4}),
    "adam": Paper(kingma_ba, {**_ADAM, "eps": 1e-8}),
    "amsgrad": Paper(reddi, {"b1": 0.9, "b2": 0.999, "eps": 0.0}),
    "adamw": Paper(loshchilov_hutter, {**_ADAM, "eps": 1e-8}),
    "lion": Paper(chen, {"lr": 1e-4, "β₁": 0.9, "β₂": 0.99, "λ": 0.0}),
    "adamax": Paper(kingma_ba_adamax, {**_ADAM, "lr": 2e-3, "eps": 0.0}),
    "radam": Paper(liu, {**_β, "eps": 0.0}),
    "adabelief": Paper(zhuang, {**_β, "ε": 1e-8, "weight_decay": 0.0}),
    "adopt": Paper(
        taniguchi,
        {"lr": 1e-3, "β₁": 0.9, "β₂": 0.9999, "ε": 1e-6, "clip": False, "decouple": False, "weight_decay": 0.0},
    ),
    "ademamix": Paper(pagliardini, {**_β, "β₃": 0.9999, "α": 8.0, "ε": 1e-8, "λ": 0.0}),
    "adan": Paper(xie, {"lr": 1e-3, "β₁": 0.98, "β₂": 0.92, "β₃": 0.99, "ε": 1e-8, "λ": 0.0}),
    "yogi": Paper(zaheer, {**_β, "lr": 1e-2, "ε": 1e-3}),
    "adabound": Paper(luo, {**_LUO, "amsbound": False}),
    "amsbound": Paper(luo, {**_LUO, "amsbound": True}),
    "adabound_keras": Paper(luo_code_decoupled, {**_KERAS_LUO, "amsbound": False}),
    "amsbound_keras": Paper(luo_code_decoupled, {**_KERAS_LUO, "amsbound": True}),
}
