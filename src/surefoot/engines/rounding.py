"""Stochastic rounding to bfloat16: up or down at random, so that small steps count on average.

Next to 1 lie 1 - 2^-8 and 1 + 2^-7 in bfloat16: rounded to nearest, a step of 1e-3 is no step. The random bits are
counted, not drawn: a hash of the tensor's key and the weight's number, so that every engine, device and number of
threads gives the same weights. Weights are numbered as they follow each other in memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from surefoot.engines.layout import memory_numbers

_MASK64 = (1 << 64) - 1

_WEYL, _MIX = 0x9E3779B97F4A7C15, ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
"""SplitMix64's constants."""

QUIET = 0x400000
"""The bit that keeps a NaN a NaN when its lower half goes."""


def key(seed: int, parameter: int, t: int) -> int:
    """Return the key of one parameter's rounding in one step: 32 bits, by SplitMix64.

    Args:
        seed: of the whole run.
        parameter: which parameter of the optimizer.
        t: the number of this parameter's step.
    """
    return _splitmix64((key_before_steps(seed, parameter) ^ t) & _MASK64) >> 32


def key_before_steps(seed: int, parameter: int) -> int:
    """Return the part of a parameter's keys that all steps share: 64 bits as an int64."""
    return _signed(_splitmix64(_splitmix64(seed & _MASK64) ^ (parameter & _MASK64)), 64)


def keys_at(before: Tensor, t: Tensor) -> Tensor:
    """Return the keys of parameters whose step counts are unread tensors: int64 with 32 bits each.

    Args:
        before: `key_before_steps` of each parameter, int64.
        t: the number of each one's step.
    """
    z = (before ^ t.to(torch.int64)) + _signed(_WEYL, 64)
    for shift, factor in _MIX:
        z = (z ^ _shifted(z, shift)) * _signed(factor, 64)
    return _shifted(z ^ _shifted(z, 31), 32)


def _shifted(z: Tensor, bits: int) -> Tensor:
    """Shift int64 to the right, zeros moving in: `>>` copies the sign."""
    return (z >> bits) & (_MASK64 >> bits)


def _splitmix64(z: int) -> int:
    z = (z + _WEYL) & _MASK64
    for shift, factor in _MIX:
        z = ((z ^ (z >> shift)) * factor) & _MASK64
    return z ^ (z >> 31)


def stochastic(x: Tensor, key: int, k: int, numbers: Tensor | None = None) -> Tensor:
    """Return `x` in bfloat16, each element rounded at random to one of its neighbours in proportion.

    What bfloat16 holds exactly stays; NaN stays NaN, infinities stay. Autograd sees a conversion.

    Args:
        x: float32.
        key: 32 bits, another for each tensor and step.
        k: which of the arrays that a step writes: 0 for the weight.
        numbers: the number of each element, int64; as `memory_numbers` gives them if None.
    """
    random = random_bits(memory_numbers(x) if numbers is None else numbers, key, k)
    rounded: Tensor = _Stochastic.apply(x, random & 0xFFFF)  # type: ignore[no-untyped-call]
    return rounded


class _Stochastic(torch.autograd.Function):
    """Rounding, whose derivative is that of a conversion: one."""

    @staticmethod
    def forward(_: Any, x: Tensor, random: Tensor) -> Tensor:
        bits = x.detach().view(torch.int32)
        rounded = torch.where(x.isnan(), bits | QUIET, bits + random)
        return (rounded >> 16).to(torch.int16).view(torch.bfloat16)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.to(torch.float32), None


def random_bits(numbers: Tensor, key: int, k: int) -> Tensor:
    """Return 32 random bits for each number as int32, by Murmur3's finalizer."""
    h = numbers.to(torch.int32) * _signed(0x9E3779B1) + _signed(key + k * 0x85EBCA77)
    h = (h ^ ((h >> 16) & 0xFFFF)) * _signed(0x85EBCA6B)  # `>>` copies the sign, which a hash has not
    h = (h ^ ((h >> 13) & 0x7FFFF)) * _signed(0xC2B2AE35)
    return h ^ ((h >> 16) & 0xFFFF)


def _signed(number: int, bits: int = 32) -> int:
    """Return the lower bits of a number as a signed integer of that width."""
    half = 1 << (bits - 1)
    return ((number + half) & (2 * half - 1)) - half
