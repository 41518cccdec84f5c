"""Random numbers that Python and JavaScript make alike, to the last bit: the noise of the noisy quadratic.

Each number follows from a seed, a step and a weight, so that all racers see the same noise, and scrubbing back shows
the same path. It is the sum of twelve uniform numbers less six: mean 0, standard deviation 1, nearly normal, and made
by additions only, which every machine rounds alike. `web/walk.js` has the same in JavaScript.
"""

from __future__ import annotations

_WORD = 0xFFFFFFFF


def _mixed(state: int) -> int:
    """Return 32 well-mixed bits (mulberry32, Tommy Ettinger 2017)."""
    state = (state + 0x6D2B79F5) & _WORD
    mixed = ((state ^ (state >> 15)) * (state | 1)) & _WORD
    mixed ^= (mixed + (((mixed ^ (mixed >> 7)) * (mixed | 61)) & _WORD)) & _WORD
    return (mixed ^ (mixed >> 14)) & _WORD


def noise(seed: int, step: int, weight: int) -> float:
    """Return the number of a step (from 1) and a weight (0 or 1)."""
    start = _mixed((seed * 0x9E3779B1 + step * 2 + weight) & _WORD)
    total = -6.0
    for k in range(12):
        total += _mixed((start + k) & _WORD) / 4294967296
    return total
