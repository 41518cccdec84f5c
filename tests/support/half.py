"""bfloat16 and its rounding as the text of the issue says it, in NumPy: the oracle of every engine.

Rounding to nearest compares distances in float64; rounding at random adds up in Python's own integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LARGEST = np.float32(3.3895314e38)
"""The largest finite bfloat16 number."""

NANS = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, 0xFF800001, 0x7FC00000, 0x7FBFFFFF], np.uint32).view(np.float32)
"""Some overflow, and others become infinite, if the upper half is taken as it is."""

EXTREME = np.concatenate(
    [
        [0.0, -0.0, np.nan, np.inf, -np.inf, LARGEST, -LARGEST, np.finfo(np.float32).max],
        [1.0, -1 - 2**-9, 1 + 3 * 2**-9, 1 + 2**-11, 1 + 3 * 2**-11, 65504.0, 65520.0, 1e-4],
        [1e-38, -1e-40, 9.2e-41, 1e-45, 6e-8, 2.9e-8, 1e-7],
        NANS[:2],
    ],
    dtype=np.float32,
)
"""Zeros of both signs, what is not finite, halfway cases, denormals and the largest numbers of each kind."""


def neighbours(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bfloat16 number at `x` or next to it towards zero, and the one beyond."""
    bits = x.view(np.uint32) & np.uint32(0xFFFF0000)
    return bits.view(np.float32), (bits + np.uint32(0x10000)).view(np.float32)


def nearest(x: np.ndarray) -> np.ndarray:
    """Return float32 numbers rounded to bfloat16, halfway to the even one."""
    below, beyond = neighbours(x)
    with np.errstate(invalid="ignore"):
        far = np.where(np.isinf(beyond), np.copysign(2.0**128, x.astype(float)), beyond.astype(float))
        middle = (below + far) / 2  # exact in float64
    odd = below.view(np.uint32) >> 16 & 1
    up = (abs(x) > abs(middle)) | ((x == middle) & (odd == 1))
    return np.where(np.isfinite(x), np.where(up, beyond, below), x)


def at_random(x: np.ndarray, numbers: np.ndarray, key: int, k: int) -> np.ndarray:
    """Return float32 numbers rounded to bfloat16 by the bits of a key, an output and the weights' numbers."""
    flat = [_up(bits, number, key, k) for bits, number in zip(x.view(np.uint32).flat, numbers.flat, strict=True)]
    below, beyond = neighbours(x)
    return np.where(np.isfinite(x), np.where(np.array(flat, bool).reshape(x.shape), beyond, below), x)


def _up(bits: Any, number: Any, key: int, k: int) -> bool:
    return int(bits) % 2**16 + murmur(int(number) * 0x9E3779B1 + key + k * 0x85EBCA77) % 2**16 >= 2**16


def murmur(x: int) -> int:
    """Return Murmur3's finalizer of a number, of which the lower 32 bits count."""
    x %= 2**32
    x = (x ^ x >> 16) * 0x85EBCA6B % 2**32
    x = (x ^ x >> 13) * 0xC2B2AE35 % 2**32
    return x ^ x >> 16


def stored(x: np.ndarray, kind: str, numbers: np.ndarray | None = None, key: int | None = None, k: int = 0) -> Any:
    """Return what an array of a kind holds once these numbers were written into it; as numbers of their own kind."""
    with np.errstate(over="ignore", invalid="ignore"):
        if kind not in ("bfloat16", "float16"):
            return x.astype(kind)
        x = x.astype(np.float32)
        if kind == "float16":
            return x.astype(np.float16).astype(np.float32)
    return nearest(x) if key is None else at_random(x, numbers, key, k)


def check_bits(found: np.ndarray, expected: np.ndarray, message: str = "") -> None:
    """Check that all numbers are the same, zeros of the same sign, NaN where NaN is."""
    np.testing.assert_array_equal(found, expected, err_msg=message)
    at = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[at], np.signbit(expected)[at], err_msg=message)
