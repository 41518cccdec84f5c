"""A framework's scalar in the place of a number: a schedule's value, a learning rate, a step count.

A rule asks `if momentum:` to learn whether momentum is in use. jax cannot answer for a number that it has yet to
compute; that it is computed at all means that it is in use. What is calculated with it is a plain array.

Rules divide by 1 - beta^t. In float32, 1 - 0.999 has lost half of its digits, and Adam's first steps are wrong by
7e-6; those of optax and Keras are. The compiled kernels compute such values in float64, which jax has only if enabled.
exp(t log beta) - 1 as one function is right in the last digits in any precision.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from surefoot import mathops
from surefoot.mathops import expm1, log, where


def _left(op: Callable[[Any, Any], Any]) -> Callable[[Number, Any], Any]:
    return lambda number, other: op(number.array, plain(other))


def _right(op: Callable[[Any, Any], Any]) -> Callable[[Number, Any], Any]:
    return lambda number, other: op(other, number.array)


class Number:
    """A scalar array that is true."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array

    def __bool__(self) -> bool:
        return True

    def __neg__(self) -> Any:
        return -self.array

    def __mathops__(self) -> Any:
        """Return the functions of `mathops`, which take numbers beside arrays."""
        return _OnNumbers()

    __add__, __radd__ = _left(operator.add), _right(operator.add)
    __sub__, __rsub__ = _left(operator.sub), _right(operator.sub)
    __mul__, __rmul__ = _left(operator.mul), _right(operator.mul)
    __truediv__, __rtruediv__ = _left(operator.truediv), _right(operator.truediv)
    __pow__, __rpow__ = _left(operator.pow), _right(operator.pow)
    __mod__ = _left(operator.mod)
    __lt__, __le__ = _left(operator.lt), _left(operator.le)
    __eq__, __ne__ = _left(operator.eq), _left(operator.ne)
    __gt__, __ge__ = _left(operator.gt), _left(operator.ge)


class _OnNumbers:
    def __getattr__(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(mathops, name)
        return lambda *args: function(*map(plain, args))


class Count(Number):
    """The number of the step, from 1: an array of jax, torch or TensorFlow."""

    __slots__ = ()

    def __init__(self, steps: Any) -> None:
        # Times 1.0 an integer of jax becomes weakly typed: computed in the best precision, taken in the weights'.
        super().__init__(steps * 1.0)

    def __rpow__(self, base: Any) -> Any:
        return _CountPower(base, self.array)

    def freedom(self, beta: Any) -> Any:
        """Return what `mathops.freedom` does; in float32, early steps without a difference of large numbers."""
        t = self.array
        if "float64" in str(t.dtype):
            return mathops.freedom(t, plain(beta))
        x = -_log(plain(beta))
        early = t + 2 * _rest(x) - 2 * t * _rest(t * x)
        return where(t * x < 1, early, 2 / (1 - plain(beta)) - 1 - 2 * t / expm1(t * x))


class _CountPower(Number):
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


def _log(base: Any) -> Any:
    if isinstance(base, int | float):
        return math.log(base) if base > 0 else -math.inf
    return log(base)


def _rest(z: Any) -> Any:
    """Return 1 / (exp(z) - 1) - 1 / z + 1 / 2 for z from 0 to 1, by its series."""
    square = z * z
    return z * (1 / 12 - square * (1 / 720 - square * (1 / 30240 - square * (1 / 1209600 - square / 47900160))))


def plain(value: Any) -> Any:
    """Return a number's array, and what is no number as it is."""
    return value.array if isinstance(value, Number) else value
