"""Complex weights in optax: each number is a vector in the plane, with one rate.

A rule squares its gradient to learn how large it is. Of a vector that is the dot product with itself, |g|^2, a real
number; so the product of two vectors is their dot product, and a rule's text does not change. A slot that is never
negative holds real numbers, every other one vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from surefoot.errors import UsageError
from surefoot.frontends.number import plain
from surefoot.mathops import size


class Vector:
    """A complex array in the place of weights, a gradient or a mean of gradients."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array

    def __add__(self, other: Any) -> Vector:
        return Vector(self.array + flat(other))

    @property
    def real(self) -> Any:
        """An array of the real numbers that it is made of."""
        return self.array.real

    def __abs__(self) -> Any:
        return jnp.abs(self.array)

    def __neg__(self) -> Vector:
        return Vector(-self.array)

    def __sub__(self, other: Any) -> Vector:
        return Vector(self.array - flat(other))

    def __rsub__(self, other: Any) -> Vector:
        return Vector(flat(other) - self.array)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Vector):
            return self.array.real * other.array.real + self.array.imag * other.array.imag
        return Vector(self.array * plain(other))

    def __truediv__(self, other: Any) -> Vector:
        return Vector(lax.complex(self.array.real / plain(other), self.array.imag / plain(other)))

    __radd__, __rmul__ = __add__, __mul__

    def __mathops__(self) -> Any:
        return _OnVectors()


class _OnVectors:
    """Functions of vectors that a rule may use beside arithmetic."""

    def where(self, condition: Any, a: Any, b: Any) -> Vector:
        return Vector(jnp.where(condition, flat(a), flat(b)))

    def clip(self, x: Vector, low: Any, high: Any) -> Vector:
        return Vector(lax.complex(*(jnp.clip(part, low, high) for part in (x.array.real, x.array.imag))))

    def sign(self, x: Vector) -> Vector:
        return Vector(jnp.sign(x.array))  # of length 1, as jax and optax have it

    def size(self, x: Vector) -> Any:
        return size(x.array)  # vectors, not the numbers in them

    def atan2(self, y: Vector, x: Any) -> Vector:
        """Return vectors as long as the angle whose tangent is the length of `y` over `x`."""
        length = abs(y)
        return Vector(y.array * (jnp.arctan2(length, plain(x)) / jnp.where(length > 0, length, 1)))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise UsageError(
            f"this rule takes {name} of weights or gradients, which complex numbers do not have; "
            "optax.contrib.split_real_and_imaginary around the optimizer gives it real and imaginary parts."
        )


def flat(value: Any) -> Any:
    """Return the array of a vector or a number; anything else as it is."""
    return value.array if isinstance(value, Vector) else plain(value)
