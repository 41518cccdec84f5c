"""What generated kernels import: arrays at an address, and a maximum and minimum that let NaN win."""

from __future__ import annotations

from typing import Any

from numba import carray, float32, float64, njit, types
from numba.extending import intrinsic


@intrinsic
def _pointer(typing_context: Any, address: Any, example: Any) -> Any:  # noqa: ARG001
    """Turn an integer into a pointer to numbers of the example's type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(example)(types.intp, example), generate


@njit(inline="always")
def array_float32(address: int, start: int, count: int) -> Any:
    """Return `count` float32 numbers, from number `start` after an address on, as an array."""
    return carray(_pointer(address + 4 * start, float32(0)), (count,))


@njit(inline="always")
def array_float64(address: int, start: int, count: int) -> Any:
    """Return `count` float64 numbers, from number `start` after an address on, as an array."""
    return carray(_pointer(address + 8 * start, float64(0)), (count,))


@njit(inline="always")
def maximum(a: Any, b: Any) -> Any:
    """Return the larger number; NaN if either is."""
    return a if a >= b or a != a else b


@njit(inline="always")
def minimum(a: Any, b: Any) -> Any:
    """Return the smaller number; NaN if either is."""
    return a if a <= b or a != a else b
