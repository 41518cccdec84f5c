"""8-bit state: a byte per weight, relative to the largest value in its block of 256.

`float8.py` says which numbers there are: all have the same relative accuracy, also beside one that is 10,000 times as
large, where linear codes and the table of bitsandbytes lose it (`benchmarks/state8.py` measures both). They are rounded
at random, in proportion: a mean that moves by a thousandth a step may not move at all to nearest. A value that is not
finite makes its block NaN, for everyone to see.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from surefoot.compiler.kernel_plan import BLOCK
from surefoot.engines.float8 import LOW, POSITIVE, SHIFT, SIGN, SIGNED
from surefoot.engines.layout import is_dense, is_plain, memory_numbers, memory_order
from surefoot.engines.rounding import random_bits
from surefoot.errors import UsageError

SMALLEST = 4096
"""Weights that a parameter must have for 8-bit state: of smaller ones it saves little. bitsandbytes does the same."""


def fits(p: Tensor) -> bool:
    """Return whether a parameter can have 8-bit state: real numbers in one stretch of plain memory."""
    return p.is_floating_point() and is_plain(p) and is_dense(p) and p.numel() >= SMALLEST


@dataclass(frozen=True)
class Blocks:
    """A slot in 8 bits.

    Attributes:
        codes: of the weight's shape, uint8.
        scales: of each block in the order of the codes' memory, float32.
        positive: no number is ever negative.
    """

    codes: Tensor
    scales: Tensor
    positive: bool

    def __post_init__(self) -> None:
        """Raise if codes and scales do not match: a kernel would read foreign memory."""
        wanted = (-(-self.codes.numel() // BLOCK),)
        if self.scales.shape != wanted or (self.codes.dtype, self.scales.dtype) != (torch.uint8, torch.float32):
            raise UsageError(
                f"8-bit state of shape {tuple(self.codes.shape)} has codes of {self.codes.dtype} and scales of "
                f"{self.scales.dtype} and shape {tuple(self.scales.shape)}; torch.uint8, and torch.float32 of shape "
                f"{wanted} belong together. Load both from the same checkpoint."
            )

    @classmethod
    def of(cls, x: Tensor, *, positive: bool) -> Blocks:
        """Return numbers in 8 bits, rounded to nearest."""
        codes = torch.empty_like(x, dtype=torch.uint8, memory_format=torch.preserve_format)
        made = cls(codes, torch.empty(-(-x.numel() // BLOCK), dtype=torch.float32, device=x.device), positive)
        made.write(x)
        return made

    @classmethod
    def full(cls, p: Tensor, start: float, *, positive: bool) -> Blocks:
        """Return a number for each weight of `p`, everywhere the same."""
        code = (POSITIVE if positive else SIGNED).most if start else 0
        code |= SIGN if start < 0 and not positive else 0
        codes = torch.full_like(p, code, dtype=torch.uint8, memory_format=torch.preserve_format, requires_grad=False)
        return cls(
            codes, torch.full((-(-p.numel() // BLOCK),), abs(start), dtype=torch.float32, device=p.device), positive
        )

    @property
    def shape(self) -> torch.Size:
        """The weight's shape."""
        return self.codes.shape

    @property
    def kind(self) -> str:
        """The kind of number that a kernel's plan calls it."""
        return "positive8" if self.positive else "signed8"

    def read(self) -> Tensor:
        """Return the numbers, float32, which lie in memory as the codes do."""
        order = memory_order(self.codes)
        turned = self.codes.permute(order)
        numbers = _decoded(_rows(turned), self.positive) * self.scales[:, None]
        return (
            numbers.flatten()[: turned.numel()]
            .view(turned.shape)
            .permute([order.index(axis) for axis in range(len(order))])
        )

    @torch.no_grad()
    def write(self, x: Tensor, key: int | None = None, k: int = 0, numbers: Tensor | None = None) -> None:
        """Replace the numbers.

        Args:
            x: the new ones, of the codes' shape.
            key: 32 bits, of random rounding; to nearest if None.
            k: which of the arrays that a step writes.
            numbers: the number of each weight, int64; as the codes lie in memory if None.
        """
        order = memory_order(self.codes)
        rows = _rows(x.to(torch.float32).permute(order))
        top = rows.abs().amax(1, keepdim=True)
        scales = torch.where(top.isfinite(), top, torch.nan)
        dither: Tensor | int = 1 << (SHIFT - 1)
        if key is not None:
            numbers = memory_numbers(self.codes) if numbers is None else numbers
            dither = (random_bits(_rows(numbers.permute(order)), key, k) >> (32 - SHIFT)) & ((1 << SHIFT) - 1)
        codes = (_positive if self.positive else _signed)(rows, scales, dither).to(torch.uint8)
        self.scales.copy_(scales[:, 0])
        turned = self.codes.permute(order)
        turned.copy_(codes.flatten()[: turned.numel()].view(turned.shape))


def _rows(turned: Tensor) -> Tensor:
    """Return a tensor in memory order as one row per block, padded with zeros."""
    flat = turned.reshape(-1)
    return functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)


def _decoded(codes: Tensor, positive: bool) -> Tensor:
    """Return the share of its scale that each code stands for."""
    form, codes = POSITIVE if positive else SIGNED, codes.to(torch.int32)
    size = codes if positive else codes & (SIGN - 1)
    share = torch.where(size > 0, size + form.below << SHIFT, 0).view(torch.float32)
    return share if positive else torch.where(codes >= SIGN, -share, share)


def _signed(x: Tensor, scales: Tensor, dither: Tensor | int) -> Tensor:
    share = x.abs() / scales
    usual = (share.view(torch.int32) + dither >> SHIFT) - SIGNED.below
    small = (share * LOW).to(torch.int32) + dither >> SHIFT
    codes = torch.where(share < SIGNED.least, small, usual) | torch.where(x.signbit(), SIGN, 0)
    return torch.where(share <= 1, codes, 0)


def _positive(x: Tensor, scales: Tensor, dither: Tensor | int) -> Tensor:
    share = x / scales
    usual = (share.view(torch.int32) + dither >> SHIFT) - POSITIVE.below
    return torch.where((x > 0) & (share <= 1), usual.clamp(min=1), 0)
