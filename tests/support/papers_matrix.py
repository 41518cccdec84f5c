"""Rules for matrices, as their papers and their authors' code print them: plain loops over gradients of one matrix.

As in `papers_weightwise.py`; every array is a matrix, a row for each output.
"""

from __future__ import annotations

import numpy as np
from numpy import diag, sqrt
from numpy.linalg import eigh, norm, qr

from papers_weightwise import adam

JORDAN = [(3.4445, -4.7750, 2.0315)] * 5


def newton_schulz(G, steps, ε):
    """Jordan et al. 2024: X = G / (|G| + ε), then X = a X + (b A + c A²) X with A = X Xᵀ, the short side first."""
    X = G.T if G.shape[0] > G.shape[1] else G
    X = X / (norm(X) + ε)
    for a, b, c in steps:
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if G.shape[0] > G.shape[1] else X


def jordan(h, W, gradients, rates):
    """Jordan et al. 2024 as in their code, or as Liu et al. 2025 have it (Moonlight): `form`."""
    M, μ = np.zeros_like(W), h["μ"]
    r, c = W.shape
    for G, η in zip(gradients, rates, strict=True):
        if h["form"] == "jordan":
            M = M + (1 - μ) * (G - M)
            U = newton_schulz(G + μ * (M - G), h["steps"], 1e-7)
            size = max(1, r / c) ** 0.5
        else:
            M = μ * M + G
            U = newton_schulz(G + μ * M, h["steps"], 1e-7)
            size = 0.2 * sqrt(max(r, c))
        W = W * (1 - η * h["weight_decay"])
        W = W - η * size * U
        yield W


def li(h, W, gradients, rates):
    """Li et al. 2025, algorithm 1 (NorMuon), or as in their code: a step ahead, |U| kept, Jordan's scale (`code`)."""
    M, v = np.zeros_like(W), np.zeros((len(W), 1))
    m, n = W.shape
    for G, η in zip(gradients, rates, strict=True):
        M = h["β₁"] * M + (1 - h["β₁"]) * G
        ahead = h["β₁"] * M + (1 - h["β₁"]) * G if h["code"] else M
        U = newton_schulz(ahead, JORDAN, 1e-7)
        v = h["β₂"] * v + (1 - h["β₂"]) * np.mean(U * U, axis=1, keepdims=True)
        Û = U / (sqrt(v) + h["ε"])
        if not norm(Û):
            W = W - η * h["weight_decay"] * W
        elif h["code"]:
            W = W - η * h["weight_decay"] * W - η * max(1, m / n) ** 0.5 * norm(U) / norm(Û) * Û
        else:
            W = W - η * h["weight_decay"] * W - 0.2 * η * sqrt(m * n) / norm(Û) * Û
        yield W


def wen(h, W, gradients, rates):
    """Wen et al. 2026 (Hyperball) around Adam: W = R · unit(W - η R · unit(u)), R the length of the first W."""
    A, R = adam(h), norm(W)
    for G, η in zip(gradients, rates, strict=True):
        u = W - A(W, G, η)
        if R == 0:
            W = W - u
        elif norm(u) > 0:
            ahead = W - η * R * u / norm(u)
            W = R * ahead / norm(ahead)
        yield W


def shazeer(h, X, gradients, rates):
    """Shazeer & Stern 2018, algorithms 4 and 5 with ρ_t = min(ρ, 1/√t): a matrix, or a vector."""

    def rms(x):
        return sqrt(np.mean(x**2))

    R = C = V = 0.0
    for t, (G, ρ) in enumerate(zip(gradients, rates, strict=True), 1):
        α = max(h["ε₂"], rms(X)) * min(ρ, 1 / sqrt(t))
        β2 = 1 - t**-0.8
        if X.ndim == 1:
            V = β2 * V + (1 - β2) * (G**2 + h["ε₁"])
        else:
            R = β2 * R + (1 - β2) * (G**2 + h["ε₁"]) @ np.ones(X.shape[1])
            C = β2 * C + (1 - β2) * np.ones(X.shape[0]) @ (G**2 + h["ε₁"])
            V = np.outer(R, C / np.sum(R))
        U = G / sqrt(V)
        X = X - ρ * h["weight_decay"] * X - α * U / max(1, rms(U) / h["d"])
        yield X


def vyas(h, W, gradients, rates):
    """Vyas et al. 2025 (SOAP) as in their code, in float64: m and v in the basis, both sorted and turned with it.

    `Q` is what begins a basis: their eigh, or ours of a matrix that is not of full rank.
    """
    β1, β2, first = h["β₁"], h["β₂"], h.get("Q") or (lambda x: eigh(x)[1][:, ::-1])
    M = V = np.zeros_like(W)
    L = R = QL = QR = None
    step = 0
    for G, η in zip(gradients, rates, strict=True):
        if QL is None:
            L, R = (1 - β2) * G @ G.T, (1 - β2) * G.T @ G
            QL, QR = first(L), first(R)
            yield W
            continue
        step += 1
        G_ = QL.T @ G @ QR
        M = β1 * M + (1 - β1) * G_
        V = β2 * V + (1 - β2) * G_**2
        N = M / (sqrt(V) + h["ε"])
        W = W - η * sqrt(1 - β2**step) / (1 - β1**step) * (QL @ N @ QR.T)
        W = W - η * h["weight_decay"] * W
        M = QL @ M @ QR.T
        L, R = β2 * L + (1 - β2) * G @ G.T, β2 * R + (1 - β2) * G.T @ G
        if step % h["f"] == 0:
            left, right = (np.argsort(-diag(Q.T @ S @ Q), kind="stable") for S, Q in ((L, QL), (R, QR)))
            V = V[left][:, right]
            QL, QR = qr(L @ QL[:, left])[0], qr(R @ QR[:, right])[0]
        M = QL.T @ M @ QR
        yield W
