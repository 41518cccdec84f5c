"""A scalar of a framework that a rule takes for a number: a schedule's value, a learning rate, the step count.

A rule asks `if momentum:` to learn whether momentum is in use. jax cannot answer for a number that it has yet to
compute; that it is computed at all means that it is in use. What is calculated with it is a plain array.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from surefoot import mathops


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
        return _Functions()

    __add__, __radd__ = _left(operator.add), _right(operator.add)
    __sub__, __rsub__ = _left(operator.sub), _right(operator.sub)
    __mul__, __rmul__ = _left(operator.mul), _right(operator.mul)
    __truediv__, __rtruediv__ = _left(operator.truediv), _right(operator.truediv)
    __pow__, __rpow__ = _left(operator.pow), _right(operator.pow)
    __mod__ = _left(operator.mod)
    __lt__, __le__ = _left(operator.lt), _left(operator.le)
    __eq__, __ne__ = _left(operator.eq), _left(operator.ne)
    __gt__, __ge__ = _left(operator.gt), _left(operator.ge)


class _Functions:
    """The functions of `mathops`, on arrays and on numbers."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(mathops, name)
        return lambda *args: function(*map(plain, args))


def plain(value: Any) -> Any:
    """Return a number's array, and what is no number as it is."""
    return value.array if isinstance(value, Number) else value
