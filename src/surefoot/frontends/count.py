"""The step count, as a rule sees it: a number whose powers keep their digits when taken from 1.

Rules divide by 1 - beta^t. In float32, 1 - 0.999 has lost half of its digits, and Adam's first steps are wrong by
7e-6; those of optax and Keras are. The compiled kernels compute such values in float64, which jax has only if told.
exp(t log beta) - 1 as one function is right in the last digits in any precision. Times 1.0 an integer of jax becomes
what jax calls weakly typed: computed in the best precision there is, and taken in that of the weights where it meets
them.
"""

from __future__ import annotations

import math
from typing import Any

from surefoot.frontends.number import Number, plain
from surefoot.mathops import expm1, log, where


class Count(Number):
    """The number of the step, from 1: an array of jax, torch or TensorFlow."""

    __slots__ = ()

    def __init__(self, steps: Any) -> None:
        super().__init__(steps * 1.0)

    def __rpow__(self, base: Any) -> Any:
        return Power(base, self.array)

    def freedom(self, beta: Any) -> Any:
        """Return what `mathops.freedom` does, early steps without a difference of large numbers."""
        t, x = self.array, -_log(plain(beta))
        early = t + 2 * _rest(x) - 2 * t * _rest(t * x)
        return where(t * x < 1, early, 2 / (1 - plain(beta)) - 1 - 2 * t / expm1(t * x))


class Power(Number):
    """`base ** count`, and what is missing from it to 1."""

    __slots__ = ("_logarithm",)

    def __init__(self, base: Any, count: Any) -> None:
        base = plain(base)
        super().__init__(base**count)
        self._logarithm = count * _log(base)

    def __rsub__(self, other: Any) -> Any:
        if isinstance(other, int | float) and other == 1:
            return -expm1(self._logarithm)
        return super().__rsub__(other)


def _rest(z: Any) -> Any:
    """Return 1 / (exp(z) - 1) - 1 / z + 1 / 2 for z from 0 to 1, by its series."""
    square = z * z
    return z * (1 / 12 - square * (1 / 720 - square * (1 / 30240 - square * (1 / 1209600 - square / 47900160))))


def _log(base: Any) -> Any:
    if isinstance(base, int | float):
        return math.log(base) if base > 0 else -math.inf
    return log(base)
