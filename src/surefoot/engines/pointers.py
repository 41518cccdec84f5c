"""The imports of generated code: access by address, numbers in 16 and 8 bits, and more.

Half precision lies in memory as 16-bit integers, since Numba has no such numbers on the CPU; it becomes float32 when
read and is rounded when written. bfloat16 is the upper half of a float32, so integer arithmetic converts it, to nearest
or at random (`rounding.py` says how); float16 takes an instruction that not every processor has. 8-bit numbers are
shares of a scale (`float8.py` says which). All of it is 32 bits wide and without branches but for choices, so that as
many weights go through at once as in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, float32, float64, int32, int64, njit, types, uint8, uint16, uint32
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from surefoot.compiler.arctan import ABOVE, BELOW, HALF, HALF_REST, KINK
from surefoot.engines.float8 import LOW, POSITIVE, SHIFT, SIGN, SIGNED

QUIET = uint32(0x400000)
"""The bit that keeps a NaN a NaN when its lower half goes."""


_INT16, _INT32, _INT64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)


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
def array_int64(address: int, start: int, count: int) -> Any:
    """Return `count` int64 numbers, from number `start` after an address on, as an array."""
    return carray(_pointer(address + 8 * start, int64(0)), (count,))


@njit(inline="always")
def array_int32(address: int, start: int, count: int) -> Any:
    """Return `count` int32 numbers, from number `start` after an address on, as an array."""
    return carray(_pointer(address + 4 * start, int32(0)), (count,))


@njit(inline="always")
def table_int64(address: int, rows: int, columns: int) -> Any:
    """Return the int64 numbers at an address as a table."""
    return carray(_pointer(address, int64(0)), (rows, columns))


@njit(inline="always")
def table_float64(address: int, rows: int, columns: int) -> Any:
    """Return the float64 numbers at an address as a table."""
    return carray(_pointer(address, float64(0)), (rows, columns))


@intrinsic
def take(typing_context: Any, address: Any, amount: Any) -> Any:  # noqa: ARG001
    """Add to the int64 at an address, atomically among threads. Returns its old value."""

    def generate(context: Any, make: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return make.atomic_rmw("add", make.inttoptr(arguments[0], _INT64.as_pointer()), arguments[1], "acq_rel")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def call(typing_context: Any, function: Any, arguments: Any) -> Any:  # noqa: ARG001
    """Call the function at an address with a tuple of numbers and arrays. It returns nothing."""

    def generate(context: Any, make: Any, signature: Any, given: Any) -> Any:
        kinds = [context.get_value_type(kind) for kind in signature.args[1].types]
        kind = ir.FunctionType(ir.VoidType(), kinds).as_pointer()
        values = [make.extract_value(given[1], k) for k in range(len(kinds))]
        make.call(make.inttoptr(given[0], kind), values)
        return context.get_dummy_value()

    return types.none(types.int64, arguments), generate


@intrinsic
def address_of(typing_context: Any, function: Any, thing: Any) -> Any:  # noqa: ARG001
    """Return the result of the function at an address for the Python object at another."""

    def generate(context: Any, make: Any, signature: Any, given: Any) -> Any:  # noqa: ARG001
        kind = ir.FunctionType(_INT64, [_INT64]).as_pointer()
        return make.call(make.inttoptr(given[0], kind), [given[1]])

    return types.int64(types.int64, types.int64), generate


@njit(inline="always")
def array_codes(address: int, start: int, count: int) -> Any:
    """Return an array of `count` one-byte codes, from index `start` after an address."""
    return carray(_pointer(address + start, uint8(0)), (count,))


@njit(inline="always")
def array_half(address: int, start: int, count: int) -> Any:
    """Return the bits of `count` half-precision numbers, from index `start` after an address."""
    return carray(_pointer(address + 2 * start, uint16(0)), (count,))


def _conversion(given: Any, returned: Any, generate: Callable[[Any, Any], Any]) -> Any:
    """Return a function for kernels, written in LLVM terms: of a builder and the argument."""

    @intrinsic
    def convert(typing_context: Any, x: Any) -> Any:  # noqa: ARG001
        return returned(given), lambda context, builder, signature, arguments: generate(builder, arguments[0])  # noqa: ARG005

    return convert


_HALF, _FLOAT = ir.HalfType(), ir.FloatType()

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


_SIGNED, _POSITIVE = uint32(SIGNED.below), uint32(POSITIVE.below)
_LEAST, _LOW = float32(SIGNED.least), float32(LOW)
_SIGN, _SIZE, _INFINITE = uint32(SIGN), uint32(0x7FFFFFFF), uint32(0x7F800000)
_NEAREST = uint32(1 << 31)


@njit
def largest(values: Any, count: int) -> Any:
    """Return the largest absolute value of the first `count` numbers, float32; NaN if any is not finite."""
    top = uint32(0)
    for i in range(count):
        bits = uint32(bits_of(values[i]) & _SIZE)
        top = bits if bits > top else top
    return number_of(top) if top < _INFINITE else float32(np.nan)


@njit(inline="always")
def from_signed8(code: Any, scale: Any) -> Any:
    """Return the number of a code with a sign."""
    size = uint32(code) & uint32(SIGN - 1)
    bits = uint32(uint32(size + _SIGNED) << SHIFT) if size else uint32(0)
    return number_of(uint32(bits | uint32(uint32(uint32(code) & _SIGN) << 24))) * scale


@njit(inline="always")
def from_positive8(code: Any, scale: Any) -> Any:
    """Return the number of a code without a sign."""
    bits = uint32(uint32(uint32(code) + _POSITIVE) << SHIFT) if code else uint32(0)
    return number_of(bits) * scale


@njit(inline="always")
def to_signed8(x: Any, scale: Any, random: Any = _NEAREST) -> Any:
    """Return the code of a float32, rounded at random in proportion by 20 random bits; 0 if `scale` is NaN."""
    bits = bits_of(x / scale)
    size = uint32(bits & _SIZE)
    share, dither = number_of(size), uint32(uint32(random) >> (32 - SHIFT))
    usual = uint32(uint32(uint32(size + dither) >> SHIFT) - _SIGNED)
    small = uint32(uint32(uint32(int32(share * _LOW)) + dither) >> SHIFT)
    code = uint32(small if share < _LEAST else usual) | uint32(uint32(bits >> 24) & _SIGN)
    return uint8(code if share <= float32(1) else uint32(0))


@njit(inline="always")
def to_positive8(x: Any, scale: Any, random: Any = _NEAREST) -> Any:
    """Return the code of a float32, as above; anything above zero stays so, anything below it becomes zero."""
    share = x / scale
    usual = int32(uint32(bits_of(share) + uint32(uint32(random) >> (32 - SHIFT))) >> SHIFT) - int32(_POSITIVE)
    code = usual if usual > int32(1) else int32(1)
    return uint8(code if x > float32(0) and share <= float32(1) else int32(0))


def has_float16() -> bool:
    """Return whether the processor converts float16 itself, as Numba compiles for it."""
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


@njit(inline="always")
def sign(x: Any) -> Any:
    """Return 1, 0 or -1; NaN if it is."""
    return abs(x) if x == 0 else np.sign(x)


_SIGN_BIT = np.int64(-(1 << 63))
_integer_of = _conversion(float64, int64, lambda make, x: make.bitcast(x, _INT64))
_float_of = _conversion(int64, float64, lambda make, x: make.bitcast(x, ir.DoubleType()))


@intrinsic
def _like(typing_context: Any, example: Any, x: Any) -> Any:  # noqa: ARG001
    """Return a number in another's kind."""

    def generate(context: Any, make: Any, signature: Any, given: Any) -> Any:
        return context.cast(make, given[1], signature.args[1], signature.return_type)

    return example(example, x), generate


_A0, _A1, _A2, _A3, _A4 = ABOVE
_B0, _B1, _B2, _B3, _B4 = BELOW


@njit(inline="always")
def atan2(y: Any, x: Any) -> Any:
    """Return the angle of the point (x, y), in the kind of number of `y`; see `compiler/arctan.py`."""
    high, far = abs(float64(y)), abs(float64(x))
    low, top = (far, high) if high > far else (high, far)
    slope = float64(1) if low == top else low / top
    slope = float64(0) if high + far == 0 else slope
    z = (slope - 1) / (slope + 1) if slope > KINK else slope
    q = z * z
    above = ((((_A0 * q + _A1) * q + _A2) * q + _A3) * q + _A4) * q
    below = ((((q + _B0) * q + _B1) * q + _B2) * q + _B3) * q + _B4
    angle = z * (above / below) + z
    angle = HALF / 2 + (angle + HALF_REST / 2) if slope > KINK else angle
    steep, left = high > far, _integer_of(float64(x)) < 0
    quarters = float64(1 if steep else 2 if left else 0)
    angle = quarters * HALF + ((-angle if steep != left else angle) + quarters * HALF_REST)
    return _like(y, _float_of(_integer_of(angle) | (_integer_of(float64(y)) & _SIGN_BIT)))
