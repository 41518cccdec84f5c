"""The arc tangent of kernels: one formula of elementary operations for CPU and GPU.

A library's function goes weight by weight, and Triton's interpreter has none. This is Cephes' rational approximation,
in float64 whatever the weights are: in float32 it is the nearest number, in float64 it is off by two units in the last
place at most. The slope's quotient is at most 1; above `KINK` it is taken relative to the diagonal.
"""

from __future__ import annotations

KINK = 0.4142135623730950488
"""The tangent of an eighth of pi."""

ABOVE = (
    -8.750608600031904122785e-1,
    -1.615753718733365076637e1,
    -7.500855792314704667340e1,
    -1.228866684490136173410e2,
    -6.485021904942025371773e1,
)
"""Numerator, from the highest power of the square down."""

BELOW = (
    2.485846490142306297962e1,
    1.650270098316988542046e2,
    4.328810604912902668951e2,
    4.853903996359136964868e2,
    1.945506571482613964425e2,
)
"""Denominator; before these stands a 1."""

HALF, HALF_REST = 1.5707963267948966, 6.123233995736765886130e-17
"""Half of pi as a float64 number, and what is missing from it."""
