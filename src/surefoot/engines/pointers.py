"""What generated kernels import: arrays at an address, half precision, and a maximum and minimum that let NaN win.

Half precision lies in memory as 16-bit integers, since Numba has no such numbers on the CPU; it becomes float32 when
read and is rounded when written. bfloat16 is the upper half of a float32, so integer arithmetic converts it, to nearest
or at random (`rounding.py` says how); float16 takes an instruction that not every processor has. All of it is 32 bits
wide, so that as many weights go through at once as in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import carray, float32, float64, njit, types, uint16, uint32
from numba.core.registry import cpu_target
from numba.extending import intrinsic

QUIET = uint32(0x400000)
"""The bit that keeps a NaN a NaN when its lower half goes."""


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
def array_half(address: int, start: int, count: int) -> Any:
    """Return `count` numbers in half precision, from number `start` after an address on, as an array of their bits."""
    return carray(_pointer(address + 2 * start, uint16(0)), (count,))


def _conversion(given: Any, returned: Any, generate: Callable[[Any, Any], Any]) -> Any:
    """Return a function that kernels can call, written in LLVM's terms: of a builder and the argument."""

    @intrinsic
    def convert(typing_context: Any, x: Any) -> Any:  # noqa: ARG001
        return returned(given), lambda context, builder, signature, arguments: generate(builder, arguments[0])  # noqa: ARG005

    return convert


_HALF, _FLOAT, _INT16, _INT32 = ir.HalfType(), ir.FloatType(), ir.IntType(16), ir.IntType(32)

bits_of = _conversion(float32, uint32, lambda make, x: make.bitcast(x, _INT32))
number_of = _conversion(uint32, float32, lambda make, x: make.bitcast(x, _FLOAT))
from_float16 = _conversion(uint16, float32, lambda make, x: make.fpext(make.bitcast(x, _HALF), _FLOAT))
to_float16 = _conversion(float32, uint16, lambda make, x: make.bitcast(make.fptrunc(x, _HALF), _INT16))


@njit(inline="always")
def from_bfloat16(bits: Any) -> Any:
    """Return a bfloat16 number as float32."""
    return number_of(uint32(bits) << 16)


@njit(inline="always")
def to_bfloat16(x: Any) -> Any:
    """Return the bits of the nearest bfloat16 number, of two the even one."""
    bits = bits_of(x)
    rounded = bits + uint32(0x7FFF) + ((bits >> 16) & uint32(1))
    return uint16(((bits | QUIET) if x != x else uint32(rounded)) >> 16)


@njit(inline="always")
def to_bfloat16_at_random(x: Any, random: Any) -> Any:
    """Return the bits of a bfloat16 neighbour of `x`, chosen by 16 random bits in proportion."""
    bits = bits_of(x)
    rounded = uint32(bits + (random & uint32(0xFFFF)))
    return uint16(((bits | QUIET) if x != x else rounded) >> 16)


@intrinsic
def random_bits(typing_context: Any, first: Any, i: Any, key: Any, k: Any) -> Any:  # noqa: ARG001
    """Return 32 random bits for weight `first + i` of a tensor with this key, and its output `k`.

    It is Murmur3's finalizer, in LLVM's terms because Numba would compute in 64 bits, half as many weights at once.
    What does not depend on `i` stands by itself, so that LLVM takes it out of the loop.
    """

    def generate(context: Any, make: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        def mixed(h: Any, shift: int, factor: int) -> Any:
            return make.mul(make.xor(h, make.lshr(h, _INT32(shift))), _INT32(factor))

        first, i, key, k = (make.trunc(x, _INT32) for x in arguments)
        start = make.add(make.add(make.mul(first, _INT32(0x9E3779B1)), key), make.mul(k, _INT32(0x85EBCA77)))
        h = make.add(make.mul(i, _INT32(0x9E3779B1)), start)
        return mixed(mixed(mixed(h, 16, 0x85EBCA6B), 13, 0xC2B2AE35), 16, 1)

    return types.uint32(types.int64, types.int64, types.int64, types.int64), generate


def has_float16() -> bool:
    """Tell whether the processor, as Numba compiles for it, converts float16 by itself."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    return triple.startswith(("aarch64", "arm64")) or "+f16c" in features.split(",")


@njit(inline="always")
def maximum(a: Any, b: Any) -> Any:
    """Return the larger number; NaN if either is."""
    return a if a >= b or a != a else b


@njit(inline="always")
def minimum(a: Any, b: Any) -> Any:
    """Return the smaller number; NaN if either is."""
    return a if a <= b or a != a else b
