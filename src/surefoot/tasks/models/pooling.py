"""Loops over memory for `norm_pool.py`: bias, ReLU and max-pooling with the sums that BatchNorm needs, and back.

Arrays are N x H x W x C, so the innermost loop runs over adjacent channels and is vectorized. That needs LLVM to see
that nothing overlaps, which it checks at run time for each pair of arrays and gives up on when there are many: hence
the small `local` buffers with their halves at fixed distances. Sums are float32 within an image, float64 across.
An odd last row or column is in BatchNorm's sums but in no pooling window (`surplus`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

ZERO = np.float32(0)
LIMIT = 256  # channels at most: the distance between the parts of a `local` buffer


@njit(cache=True)
def relu(v: Any) -> Any:
    """The larger of v and zero; a NaN stays one."""
    return ZERO if v < ZERO else v


@njit(cache=True)
def surplus(i: int, rows: int, columns: int) -> int:
    """The first column of row `i` that no pooling window covers."""
    return 0 if i == rows // 2 * 2 else columns // 2 * 2


@njit(cache=True)
def pool_forward(x: Any, bias: Any, largest: Any, pooled: Any, sums: Any) -> None:
    """Pool relu(x + bias) over 2 x 2 windows, by maximum where `largest`, else by minimum.

    `sums` (4 x C, float64, zeros) receives the sum and sum of squares of relu(x + bias), then of `pooled`.
    """
    images, rows, columns, channels = x.shape
    part = np.empty((4, channels), np.float32)
    for n in range(images):
        part[:] = 0
        for i in range(rows // 2):
            for j in range(columns // 2):
                for k in range(channels):
                    b = bias[k]
                    r0 = relu(x[n, 2 * i, 2 * j, k] + b)
                    r1 = relu(x[n, 2 * i, 2 * j + 1, k] + b)
                    r2 = relu(x[n, 2 * i + 1, 2 * j, k] + b)
                    r3 = relu(x[n, 2 * i + 1, 2 * j + 1, k] + b)
                    part[0, k] += (r0 + r1) + (r2 + r3)
                    part[1, k] += (r0 * r0 + r1 * r1) + (r2 * r2 + r3 * r3)
                    highest = max(max(r0, r1), max(r2, r3))
                    lowest = min(min(r0, r1), min(r2, r3))
                    p = highest if largest[k] else lowest
                    pooled[n, i, j, k] = p
                    part[2, k] += p
                    part[3, k] += p * p
        for i in range(rows):
            for j in range(surplus(i, rows, columns), columns):
                for k in range(channels):
                    r = relu(x[n, i, j, k] + bias[k])
                    part[0, k] += r
                    part[1, k] += r * r
        sums += part


@njit(cache=True)
def sums_backward(grad: Any, pooled: Any, sums: Any) -> None:
    """`sums` (2 x C, float64, zeros) receives the sum of `grad` and of `grad * pooled`."""
    images, rows, columns, channels = grad.shape
    part = np.empty((2, channels), np.float32)
    for n in range(images):
        part[:] = 0
        for i in range(rows):
            for j in range(columns):
                for k in range(channels):
                    g = grad[n, i, j, k]
                    part[0, k] += g
                    part[1, k] += g * pooled[n, i, j, k]
        sums += part


@njit(cache=True)
def pool_backward(x: Any, pooled: Any, grad: Any, coefficients: Any, grad_x: Any, grad_bias: Any) -> None:
    """Write the gradient at x into `grad_x`, and add its sums to `grad_bias` (C, float64, zeros).

    With r = x + bias, it is offset + slope * r where r > 0, and at the first place of each window that holds the
    pooled value p, d0 * grad + d1 + d2 * p more. `coefficients` is 6 x LIMIT: bias, offset, slope, d0, d1, d2.
    """
    images, rows, columns, channels = x.shape
    c = coefficients.ravel()
    local = np.empty(4 * LIMIT, np.float32)
    part = np.empty(channels, np.float32)
    for n in range(images):
        part[:] = 0
        for i in range(rows // 2):
            for j in range(columns // 2):
                for k in range(channels):
                    b, offset, slope = c[k], c[LIMIT + k], c[2 * LIMIT + k]
                    r0 = x[n, 2 * i, 2 * j, k] + b
                    r1 = x[n, 2 * i, 2 * j + 1, k] + b
                    r2 = x[n, 2 * i + 1, 2 * j, k] + b
                    r3 = x[n, 2 * i + 1, 2 * j + 1, k] + b
                    p = pooled[n, i, j, k]
                    d = c[3 * LIMIT + k] * grad[n, i, j, k] + c[4 * LIMIT + k] + c[5 * LIMIT + k] * p
                    d0 = d if r0 == p else ZERO
                    d = ZERO if r0 == p else d
                    d1 = d if r1 == p else ZERO
                    d = ZERO if r1 == p else d
                    d2 = d if r2 == p else ZERO
                    d = ZERO if r2 == p else d
                    d3 = d if r3 == p else ZERO
                    local[k] = offset + slope * r0 + d0 if r0 > ZERO else ZERO
                    local[LIMIT + k] = offset + slope * r1 + d1 if r1 > ZERO else ZERO
                    local[2 * LIMIT + k] = offset + slope * r2 + d2 if r2 > ZERO else ZERO
                    local[3 * LIMIT + k] = offset + slope * r3 + d3 if r3 > ZERO else ZERO
                for k in range(channels):
                    grad_x[n, 2 * i, 2 * j, k] = local[k]
                for k in range(channels):
                    grad_x[n, 2 * i, 2 * j + 1, k] = local[LIMIT + k]
                for k in range(channels):
                    grad_x[n, 2 * i + 1, 2 * j, k] = local[2 * LIMIT + k]
                for k in range(channels):
                    grad_x[n, 2 * i + 1, 2 * j + 1, k] = local[3 * LIMIT + k]
                for k in range(channels):
                    part[k] += (local[k] + local[LIMIT + k]) + (local[2 * LIMIT + k] + local[3 * LIMIT + k])
        for i in range(rows):
            for j in range(surplus(i, rows, columns), columns):
                for k in range(channels):
                    r = x[n, i, j, k] + c[k]
                    g = c[LIMIT + k] + c[2 * LIMIT + k] * r if r > ZERO else ZERO
                    grad_x[n, i, j, k] = g
                    part[k] += g
        grad_bias += part
