"""State in 8 bits as `engines/float8.py` says it in words, in NumPy: the oracle of every engine.

Numbers come from a table, rounding from exact fractions and Python's own integers.
"""

from __future__ import annotations

import numpy as np

from half import murmur

BLOCK = 256


def table(codes: int) -> np.ndarray:
    """The number of each code: eight in every power of two, counted downwards from 1; code 0 is zero."""
    steps = np.arange(codes) - (codes - 1)
    shares = (1 + steps % 8 / 8) * 2.0 ** (steps // 8)
    shares[0] = 0
    return shares


SIGNED, POSITIVE = table(128), table(256)
LEAST = {False: 1.25 * 2.0**-16, True: 1.25 * 2.0**-32}
"""Of a slot with a sign and one without."""


def decode(codes: np.ndarray, scales: np.ndarray, positive: bool) -> np.ndarray:
    """Return the numbers of codes that follow each other in memory, float32."""
    sizes = POSITIVE[codes] if positive else np.where(codes & 128, -SIGNED[codes & 127], SIGNED[codes & 127])
    with np.errstate(invalid="ignore", under="ignore"):
        return sizes.astype(np.float32) * scales.repeat(BLOCK)[: len(codes)]


def encode(
    x: np.ndarray, positive: bool, numbers: np.ndarray | None = None, key: int | None = None, k: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return codes and scales of numbers that follow each other in memory; to nearest without a key."""
    x = x.astype(np.float32)
    dither = np.full(len(x), 1 << 19)
    if key is not None:
        counted = np.arange(len(x)) if numbers is None else numbers
        dither = np.array([murmur(int(n) * 0x9E3779B1 + key + k * 0x85EBCA77) >> 12 for n in counted])
    codes, scales = [], []
    for start in range(0, len(x), BLOCK):
        block = x[start : start + BLOCK]
        top = abs(block).max()
        scales.append(top if np.isfinite(top) else np.float32(np.nan))
        one = _positive if positive else _signed
        with np.errstate(invalid="ignore", divide="ignore", under="ignore"):
            share = abs(block) / scales[-1]
        usable = np.where(np.isnan(share), np.float32(0), share)
        codes.append(np.where(np.isnan(share), 0, one(block, usable, dither[start : start + BLOCK])))
    return np.concatenate(codes).astype(np.uint8), np.array(scales, np.float32)


def _signed(x: np.ndarray, share: np.ndarray, dither: np.ndarray) -> np.ndarray:
    return _rounded(share, SIGNED, dither) | np.where(np.signbit(x), 128, 0)


def _positive(x: np.ndarray, share: np.ndarray, dither: np.ndarray) -> np.ndarray:
    return np.where(x > 0, np.maximum(_rounded(share, POSITIVE, dither), 1), 0)


def _rounded(share: np.ndarray, shares: np.ndarray, dither: np.ndarray) -> np.ndarray:
    """Return the code below or the one above, by how far a number is from one to the other, in 2^-20."""
    code = np.searchsorted(shares, share.astype(float), side="right") - 1
    below, above = shares[code], shares[np.minimum(code + 1, len(shares) - 1)]
    width = np.where(above > below, above - below, 1)
    far = np.floor((share.astype(float) - below) / width * 2**20)
    far = np.where(code == 0, np.floor(share * np.float32(2**20 / shares[1])), far)
    return code + (far + dither >= 2**20)
