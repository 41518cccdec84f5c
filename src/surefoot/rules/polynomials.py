"""Polynomials that draw singular values to 1: their coefficients of x, x^3 and x^5, one three a product step.

Keller Jordan's is the steepest at 0, and ends anywhere between .68 and 1.21. Polar Express takes another polynomial at
each step, the best for what the step before leaves. The quintic is the classical series of Newton and Schulz: it
converges to 1, slowly from near 0.
"""

from __future__ import annotations

Polynomial = tuple[tuple[float, float, float], ...]

POLYNOMIALS: dict[str, Polynomial] = {
    "keller": ((3.4445, -4.7750, 2.0315),) * 5,
}
"""Each by its name."""


def polynomial(given: str | Polynomial) -> Polynomial:
    """Return the coefficients of a polynomial by its name, or as they are given."""
    return POLYNOMIALS[given] if isinstance(given, str) else given
