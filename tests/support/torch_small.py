"""A few small parameters, and a training with random gradients."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

F64 = torch.float64
SHAPES = ((4, 3), (5,), (), (0,))


def params(dtype: torch.dtype = F64, shapes: Iterable[tuple[int, ...]] = SHAPES) -> list[Parameter]:
    generator = torch.Generator().manual_seed(1)
    return [Parameter(torch.randn(shape, generator=generator, dtype=F64).to(dtype)) for shape in shapes]


def give(ps: Iterable[Parameter], seed: int, scale: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for p in ps:
        p.grad = (scale * torch.randn(p.shape, generator=generator, dtype=F64)).to(p.dtype)


def train(optimizer: Any, ps: list[Parameter], steps: range) -> None:
    for k in steps:
        give(ps, k)
        optimizer.step()


def through_file(state: dict[str, Any]) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def same(xs: Iterable[Tensor], ys: Iterable[Tensor]) -> bool:
    return all(map(torch.equal, xs, ys))
