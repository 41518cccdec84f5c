"""Polynomials that draw singular values to 1: three coefficients (of x, x^3, x^5) for each step.

Keller Jordan's is steep at 0 and never arrives: what was .003 or more ends between .68 and 1.21. The quintic, five
polynomials that a search of You's has found, ends between .97 and 1.15. Polar Express takes the best polynomial for
what the step before has left, if singular values begin between .001 and 1. Each is stretched by 1.01, so that a value
that rounding has put above 1 does no harm. Its authors train with the first five, which end between .87 and 1.13; all
eight end at 1.

Others are written out: DeepSeek's (arXiv:2606.19348) is `POLYNOMIALS["keller"][:1] * 8 + ((2.0, -1.5, 0.5),) * 2`.
"""

from __future__ import annotations

Polynomial = tuple[tuple[float, float, float], ...]

_POLAR_EXPRESS: Polynomial = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)
"""Amsel et al. 2025, arXiv:2505.16932, algorithm 1, as printed."""

POLAR_EXPRESS: Polynomial = (
    *((a / 1.01, b / 1.01**3, c / 1.01**5) for a, b, c in _POLAR_EXPRESS[:-1]),
    _POLAR_EXPRESS[-1],
)
"""All eight steps, stretched but for the last."""

POLYNOMIALS: dict[str, Polynomial] = {
    "keller": ((3.4445, -4.7750, 2.0315),) * 5,
    "quintic": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
    "polar_express": POLAR_EXPRESS[:5],
}
"""Each by its name: `coefficients="quintic"`."""


def polynomial(given: str | Polynomial) -> Polynomial:
    """Return the coefficients of a polynomial by its name, or as they are given."""
    return POLYNOMIALS[given] if isinstance(given, str) else given
