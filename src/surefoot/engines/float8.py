"""The numbers of 8-bit state: the share of a block's scale for each code.

A code is a float that counts downwards from 1: three bits of mantissa, as many of exponent as are left. It is the upper
bits of a float32, but for a constant, so that integer arithmetic converts it. With a sign it spans 16 binades, and what
is smaller is rounded to zero or to the least number. What is never negative needs no sign and spans 32, as its root
spans 16; of it nothing becomes zero, by whose root a rule may divide.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

SHIFT = 20
"""Bits of a float32 beyond its code. Together with random bits they choose between two codes."""

ONE = 0x3F800000 >> SHIFT


class Format(NamedTuple):
    """The codes of a format.

    Attributes:
        most: the code of 1.
    """

    most: int

    @property
    def below(self) -> int:
        """The offset from a code to the upper bits of its number."""
        return ONE - self.most

    @property
    def least(self) -> float:
        """The number that code 1 stands for; code 0 is zero."""
        (number,) = struct.unpack("<f", struct.pack("<I", (self.below + 1) << SHIFT))
        return float(number)


SIGNED, POSITIVE = Format(127), Format(255)

SIGN = 0x80
"""The bit of a code that is negative."""

LOW = (1 << SHIFT) / SIGNED.least
"""The factor that makes random bits comparable with a number below the smallest one."""
