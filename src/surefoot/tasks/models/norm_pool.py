"""Bias, ReLU, BatchNorm, 2 x 2 max-pooling and a second BatchNorm as one operation on a CPU: exact, in few passes.

As five layers this reads and writes the article's largest activation (22 MB) a dozen times, a third of the step.
But BatchNorm is a line a*r + b per channel, and a line moves through the maximum (through the minimum, if a < 0): so
one pass over r finds the pooled r and all sums, and both BatchNorms together are one line on the pooled values. Going
back, the sums give every coefficient in closed form, in float64, and one pass writes the gradient.
`s` is the pooled r, `n` counts values per channel, 1 is before the pooling and 2 after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from surefoot.tasks.models.pooling import LIMIT, pool_backward, pool_forward, sums_backward

Vector = NDArray[np.float64]


def pixels(x: Tensor) -> NDArray[np.float32]:
    """The memory of a channels_last tensor as N x H x W x C."""
    array: NDArray[np.float32] = x.detach().permute(0, 2, 3, 1).numpy()
    return array


def vectors(*tensors: Tensor) -> list[Vector]:
    """One value per channel, for the arithmetic in float64."""
    return [tensor.detach().numpy().astype(np.float64) for tensor in tensors]


def tensors(values: Iterable[Vector]) -> list[Tensor]:
    """Back to float32."""
    return [torch.from_numpy(value.astype(np.float32)) for value in values]


def pooled_relu(x: Tensor, bias: Tensor, weight1: Tensor) -> tuple[Tensor, NDArray[np.float64]]:
    """relu(x + bias) where the maximum of weight1 * relu(x + bias) is, in each window; and the sums (see pooling)."""
    n, channels, rows, columns = x.shape
    s = torch.empty((n, channels, rows // 2, columns // 2), memory_format=torch.channels_last)
    sums = np.zeros((4, channels))
    largest = weight1.detach().numpy() >= 0
    pool_forward(pixels(x), bias.detach().numpy(), largest, pixels(s), sums)
    return s, sums


def line(s: Tensor, slope: Vector, offset: Vector) -> Tensor:
    """slope * s + offset, per channel."""
    slope32, offset32 = (value.view(1, -1, 1, 1) for value in tensors([slope, offset]))
    return torch.addcmul(offset32, s, slope32)


class NormPool(torch.autograd.Function):
    """The operation in training mode: its output, then mean and variance of each BatchNorm's batch.

    Use it for float32 tensors in CPU memory, `x` in channels_last with at most `LIMIT` channels; elsewhere the five
    layers one after another. Its arguments: a convolution's output without bias, the bias, scale and shift of both
    BatchNorms, and their epsilon.
    """

    @staticmethod
    @np.errstate(all="ignore")  # a run that diverges is a result: infinities pass through, as they do in torch
    def forward(
        ctx: Any, x: Tensor, bias: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor, eps: float
    ) -> tuple[Tensor, ...]:
        """Two passes: over x for the pooled values and sums, over the pooled values for the output."""
        s, sums = pooled_relu(x, bias, weight1)
        n1, n2 = x.numel() // len(bias), s.numel() // len(bias)
        w1, b1, w2, b2 = vectors(weight1, bias1, weight2, bias2)
        mean1, mean_s = sums[0] / n1, sums[2] / n2
        var1, var_s = (np.maximum(v, 0) for v in (sums[1] / n1 - mean1**2, sums[3] / n2 - mean_s**2))
        rstd1 = 1 / np.sqrt(var1 + eps)
        a1 = w1 * rstd1
        mean2, var2 = b1 + a1 * (mean_s - mean1), a1**2 * var_s
        rstd2 = 1 / np.sqrt(var2 + eps)
        a2 = w2 * rstd2
        ctx.save_for_backward(x, bias, s)
        ctx.vectors = sums, mean1, rstd1, a1, mean_s, rstd2, a2
        statistics = tensors([mean1, var1, mean2, var2])
        ctx.mark_non_differentiable(*statistics)
        return line(s, a2 * a1, b2 - a2 * a1 * mean_s), *statistics

    @staticmethod
    @once_differentiable
    @np.errstate(all="ignore")
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Two passes: over the gradient for its sums, over x for the result."""
        x, bias, s = ctx.saved_tensors
        sums, mean1, rstd1, a1, mean_s, rstd2, a2 = ctx.vectors
        n1, n2 = x.numel() // len(bias), s.numel() // len(bias)
        grad = grad.contiguous(memory_format=torch.channels_last)
        g, gs = grad_sums = np.zeros((2, len(bias)))
        sums_backward(pixels(grad), pixels(s), grad_sums)

        # The second BatchNorm: the gradient at its input is a2 * grad + d1 + d2 * s.
        weight2, bias2 = a1 * rstd2 * (gs - mean_s * g), g
        d2 = -a2 * a1 * rstd2 * weight2 / n2
        d1 = -a2 * bias2 / n2 - d2 * mean_s
        # The first BatchNorm: that gradient arrives at one place of each window; offset + slope * r is everywhere.
        bias1 = a2 * g + d1 * n2 + d2 * sums[2]
        weight1 = rstd1 * (a2 * gs + d1 * sums[2] + d2 * sums[3] - mean1 * bias1)
        slope = -a1 * rstd1 * weight1 / n1
        offset = -a1 * bias1 / n1 - slope * mean1

        coefficients = np.zeros((6, LIMIT), np.float32)
        coefficients[:, : len(bias)] = bias.detach().numpy(), offset, slope, a1 * a2, a1 * d1, a1 * d2
        grad_x, grad_bias = torch.empty_like(x), np.zeros(len(bias))
        pool_backward(pixels(x), pixels(s), pixels(grad), coefficients, pixels(grad_x), grad_bias)
        return grad_x, *tensors([grad_bias, weight1, bias1, weight2, bias2]), None


def infer(x: Tensor, bias: Tensor, norms: Sequence[tuple[Tensor, ...]], eps: float) -> Tensor:
    """The operation in evaluation mode, without gradients.

    Args:
        x: as for `NormPool`.
        bias: as for `NormPool`.
        norms: scale, shift, moving mean and moving variance of the first and of the second BatchNorm.
        eps: their epsilon.
    """
    s, _ = pooled_relu(x, bias, norms[0][0])
    slope, offset = np.ones(len(bias)), np.zeros(len(bias))
    for weight, shift, mean, variance in (vectors(*norm) for norm in norms):
        a = weight / np.sqrt(variance + eps)
        slope, offset = a * slope, a * (offset - mean) + shift
    return line(s, slope, offset)
