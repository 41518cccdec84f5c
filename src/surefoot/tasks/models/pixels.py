"""Bytes of grey images as the numbers that a network takes."""

from __future__ import annotations

from torch import Tensor

PIXEL_MAX = 255


def pixels(images: Tensor) -> Tensor:
    """Bytes of any shape to float32 in 0..1, in the same shape."""
    return images.float() / PIXEL_MAX
