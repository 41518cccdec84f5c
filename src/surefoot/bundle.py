"""Many tensors as one value, for rules that look at all of them at once (`total_all`).

Arithmetic goes member by member; what is no bundle (a learning rate, a sum over everything) is the same for each of
them. So one text serves a single array and all tensors of an optimizer, on every kind of array.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

from surefoot import mathops
from surefoot.arrays import cast, dtype_name, either
from surefoot.mathops import Array


class Bundle:
    """One array for each tensor, in order.

    Example:
        >>> made = update(prodigy, Bundle(weights), Bundle(gradients), {"m": Bundle(ms), "d": d}, t, hyper)
        >>> made.weight.members
    """

    __slots__ = ("members",)
    __array_ufunc__ = None  # NumPy's own numbers leave arithmetic to it,
    __array_priority__ = 1000  # and so do TensorFlow's
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, members: Iterable[Array]) -> None:
        self.members = tuple(members)

    def __bool__(self) -> bool:
        """Return whether any member is in use, for a hyperparameter that differs between groups."""
        return any(self.members)

    def __mathops__(self) -> _Each:
        """Say where `sqrt` and the others are, for `surefoot.mathops`."""
        return _Each(len(self.members))

    @property
    def T(self) -> Bundle:  # noqa: N802  as every array calls it
        """Each member with its rows as columns."""
        return Bundle(map(mathops.transpose, self.members))

    def __neg__(self) -> Bundle:
        return Bundle(map(operator.neg, self.members))

    def __abs__(self) -> Bundle:
        return Bundle(map(abs, self.members))


def _each(op: Callable[[Any, Any], Any]) -> Callable[[Bundle, Any], Bundle]:
    return lambda bundle, other: Bundle(map(op, bundle.members, members(other, len(bundle.members))))


for _name in ("add", "sub", "mul", "matmul", "truediv", "pow", "mod", "eq", "ne", "lt", "gt", "le", "ge"):
    _op = getattr(operator, _name)
    setattr(Bundle, f"__{_name}__", _each(_op))
    if _name in ("add", "sub", "mul", "matmul", "truediv", "pow", "mod"):
        setattr(Bundle, f"__r{_name}__", _each(lambda a, b, op=_op: op(b, a)))  # type: ignore[misc]


def members(value: Any, count: int) -> tuple[Any, ...]:
    """Return the members of a bundle, or the shared value for each."""
    return value.members if isinstance(value, Bundle) else (value,) * count


def _itself(x: Array) -> Array:
    return x


class _Each:
    """The functions of `mathops`, member by member."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __getattr__(self, name: str) -> Callable[..., Bundle]:
        function = getattr(mathops, name)

        def each(*arguments: Any, **switches: Any) -> Bundle:
            gradients = members(mathops.gradient(), self._count)
            made = []
            for gradient, *own in zip(gradients, *(members(x, self._count) for x in arguments), strict=True):
                with mathops.precision_of(gradient):
                    made.append(function(*own, **switches))
            return Bundle(made)

        return each

    def orthogonalize(
        self, x: Bundle, coefficients: Any, eps: Array, *, floor: bool = False, products: str | None = None
    ) -> Bundle:
        """Return each matrix with singular values near 1. Those of one shape share their products."""
        wide = [member.shape[0] <= member.shape[1] for member in x.members]
        given = [mathops.of_length_one(member, eps, floor=floor, products=products) for member in x.members]
        given = [member if flat else mathops.turned(member) for member, flat in zip(given, wide, strict=True)]
        alike: dict[Any, list[int]] = {}
        for k, member in enumerate(given):
            alike.setdefault((tuple(member.shape), dtype_name(member)), []).append(k)
        made: dict[int, Array] = {}
        for numbers in alike.values():
            stack = [given[k] for k in numbers]
            drawn = mathops.drawn_to_one(mathops.stacked(stack) if len(stack) > 1 else stack[0], coefficients)
            made |= dict(zip(numbers, drawn if len(stack) > 1 else [drawn], strict=True))
        turned = [made[k] if flat else mathops.turned(made[k]) for k, flat in enumerate(wide)]
        if products is None:
            return Bundle(turned)
        return Bundle(cast(one, dtype_name(old)) for one, old in zip(turned, x.members, strict=True))

    def every(self, period: Array, count: Array, new: Callable[[], Bundle], old: Bundle) -> Bundle:
        """Return the new members that are due, and the old others. If counts differ, all new ones are computed."""
        if not isinstance(period, Bundle) and not isinstance(count, Bundle):
            due: Bundle = either(count % period == 0, new, lambda: old)
            return due
        made = new()
        several = zip(*(members(x, self._count) for x in (period, count, made, old)), strict=True)
        return Bundle(mathops.every(p, c, partial(_itself, fresh), kept) for p, c, fresh, kept in several)

    def mean(self, x: Bundle, axis: int, *, keepdims: Literal[True]) -> Bundle:  # noqa: ARG002  mathops keeps them always
        """Return the mean of each member over rows or columns."""
        return Bundle(mathops.mean(member, axis) for member in x.members)

    def total_all(self, x: Bundle) -> Array:
        """Return the sum over all members, added in their order."""
        first, *rest = (mathops.total(member) for member in x.members)
        return sum(rest, first)
