"""The memory of a case: one flat block for weights, gradients and each kind of state.

All torch contenders of a case share it. So a set takes the memory of one optimizer, none has the luckier addresses or
pages, and the floor runs over the very bytes that the contenders move. Tensors start at multiples of 64
bytes, as torch's own allocations do. Weights are of size 1, gradients of size 1e-2: their squares times 1 - beta2 are
far above the smallest normal numbers (1e-38), which processors add more slowly below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod

import torch
from torch import Tensor

from surefoot.bench.shapes import Shape

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""The kinds of numbers that can be timed."""

ALIGNMENT = 64
GRADIENT = 1e-2


class Arena:
    """Parameters with gradients, and state by name, all of given shapes.

    Args:
        shapes: the shape of each parameter.
        dtype: of weights, gradients and state.
        seed: of the random weights and gradients.
    """

    def __init__(self, shapes: Sequence[Shape], dtype: torch.dtype, seed: int = 0) -> None:
        self.shapes, self.dtype = tuple(shapes), dtype
        self.weights = sum(prod(shape) for shape in self.shapes)
        self._blocks = {"weight": self._block(), "gradient": self._block()}
        self._seed = seed
        self._blocks["weight"].normal_(generator=torch.Generator().manual_seed(seed))
        self._draw_gradients()
        self.parameters = [torch.nn.Parameter(view) for view in self._views("weight")]
        self.gradients = self._views("gradient")
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient

    def renew_gradients(self) -> Callable[[], object]:
        """Draw the same gradients again after a write. Returns a faster function for it, from a copy."""
        self._draw_gradients()
        return partial(self._blocks["gradient"].copy_, self._blocks["gradient"].clone())

    def _draw_gradients(self) -> None:
        generator = torch.Generator().manual_seed(self._seed + 1)
        self._blocks["gradient"].normal_(std=GRADIENT, generator=generator)

    def slot(self, name: str) -> list[Tensor]:
        """Return the state of this name: a tensor for each parameter, at first zero."""
        key = f"state.{name}"
        if key not in self._blocks:
            self._blocks[key] = self._block().fill_(0)  # written: pages that never were are not read from memory
        return self._views(key)

    def blocks(self, count: int) -> list[Tensor]:
        """Return `count` flat blocks: weights and as much state as needed, the gradients last."""
        while len(self._blocks) < count:
            self.slot(f"spare {len(self._blocks)}")
        first = [block for name, block in self._blocks.items() if name != "gradient"][: count - 1]
        return [*first, self._blocks["gradient"]]

    def _block(self) -> Tensor:
        return torch.empty(sum(map(self._room, self.shapes)), dtype=self.dtype)

    def _views(self, name: str) -> list[Tensor]:
        parts = torch.split(self._blocks[name], [self._room(shape) for shape in self.shapes])
        return [part[: prod(shape)].view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def _room(self, shape: Shape) -> int:
        """Return how many numbers a tensor takes up with what pads it."""
        step = ALIGNMENT // self.dtype.itemsize
        return -(-prod(shape) // step) * step
