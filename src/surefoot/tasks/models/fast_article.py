"""The article's network with faster ways to the same values on a CPU. `article.py` defines it.

A training step of 250 images takes 62 ms with it in a process of one thread, two such processes side by side; with
plain channels_last layers 109 ms, with torch.compile 127 ms.

As five layers, bias, ReLU, BatchNorm, 2 x 2 max-pooling and BatchNorm read and write the largest activation (22 MB) a
dozen times. But BatchNorm is a line a*r + b per channel, and a line moves through the maximum (through the minimum, if
a < 0): so one pass over r finds the pooled r and all sums, and both BatchNorms together are one line on the pooled
values. Going back, the sums give every coefficient in closed form, in float64, and one pass writes the gradient.
`s` is the pooled r, `n` counts values per channel, 1 is before the pooling and 2 after it.

The loops run over N x H x W x C, innermost over adjacent channels, and are vectorized. That needs LLVM to see that
nothing overlaps, which it checks at run time for each pair of arrays and gives up on when there are many: hence the
small `local` buffers with their halves at fixed distances. Sums are float32 within an image, float64 across. An odd
last row or column is in BatchNorm's sums but in no pooling window (`surplus`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from surefoot.tasks.models import article
from surefoot.tasks.models.article import EPSILON, measure

__all__ = ["make_model", "measure"]

Vector = NDArray[np.float64]

ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
ZERO = np.float32(0)
LIMIT = 256  # channels at most: the distance between the parts of a `local` buffer


def make_model(seed: int) -> nn.Sequential:
    """Return the article's model with the initial weights of a seed; three layers are faster ones."""
    model = article.make_model(seed)
    for place, kind in ((0, Block), (1, Block), (3, Dense)):
        model[place].__class__ = kind
    return model


class Block(article.ConvBlock):
    """The convolution, then all that follows in one operation, for float32 on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """As the definition's."""
        y = functional.conv2d(x, self.conv.weight)
        if y.device.type != "cpu" or y.dtype != torch.float32:
            return self.after(y)
        y = y.contiguous(memory_format=torch.channels_last)
        if self.training:
            return self.train_fast(y)
        return self.after(y) if torch.is_grad_enabled() else self.infer_fast(y)

    def train_fast(self, y: Tensor) -> Tensor:
        """Apply the rest of the block after the convolution, in training."""
        norm, pooled = self.norm, self.pooled_norm
        affine = (norm.weight, norm.bias, pooled.weight, pooled.bias)
        y, mean, variance, pooled_mean, pooled_variance = NormPool.apply(y, self.conv.bias, *affine, EPSILON)  # type: ignore[no-untyped-call]
        norm.track(mean, variance)
        pooled.track(pooled_mean, pooled_variance)
        return y

    def infer_fast(self, y: Tensor) -> Tensor:
        """Apply the rest of the block after the convolution, in evaluation without gradients."""
        bias = self.conv.get_parameter("bias")
        s, _ = pooled_relu(y, bias, self.norm.weight)
        slope, offset = np.ones(len(bias)), np.zeros(len(bias))
        for norm in (self.norm, self.pooled_norm):
            weight, shift, mean, variance = vectors(norm.weight, norm.bias, norm.running_mean, norm.running_var)
            a = weight / np.sqrt(variance + EPSILON)
            slope, offset = a * slope, a * (offset - mean) + shift
        return line(s, slope, offset)


class Dense(nn.Linear):
    """A linear layer through oneDNN on a CPU, which uses AVX-512 on AMD processors; MKL does not."""

    def forward(self, x: Tensor) -> Tensor:
        """N x inputs to N x outputs."""
        if x.device.type != "cpu" or x.dtype != torch.float32 or not ONEDNN:
            return super().forward(x)
        # what torch.utils.mkldnn does for inference; autograd knows it too
        y: Tensor = torch._C._nn.mkldnn_linear(x.to_mkldnn(), self.weight, self.bias).to_dense()
        return y


def memory(x: Tensor) -> NDArray[np.float32]:
    """Return the memory of a channels_last tensor as N x H x W x C."""
    array: NDArray[np.float32] = x.detach().permute(0, 2, 3, 1).numpy()
    return array


def vectors(*tensors: Tensor) -> list[Vector]:
    """One value per channel, for the arithmetic in float64."""
    return [tensor.detach().numpy().astype(np.float64) for tensor in tensors]


def tensors(values: Iterable[Vector]) -> list[Tensor]:
    """Back to float32."""
    return [torch.from_numpy(value.astype(np.float32)) for value in values]


def pooled_relu(x: Tensor, bias: Tensor, weight1: Tensor) -> tuple[Tensor, Vector]:
    """relu(x + bias) where the maximum of weight1 * relu(x + bias) is, in each window; and `pool_forward`'s sums."""
    n, channels, rows, columns = x.shape
    s = torch.empty((n, channels, rows // 2, columns // 2), memory_format=torch.channels_last)
    sums = np.zeros((4, channels))
    pool_forward(memory(x), bias.detach().numpy(), weight1.detach().numpy() >= 0, memory(s), sums)
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
        sums_backward(memory(grad), memory(s), grad_sums)

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
        pool_backward(memory(x), memory(s), memory(grad), coefficients, memory(grad_x), grad_bias)
        return grad_x, *tensors([grad_bias, weight1, bias1, weight2, bias2]), None


@njit(cache=True)
def relu(v: Any) -> Any:
    """Return the larger of v and zero; a NaN stays one."""
    return ZERO if v < ZERO else v


@njit(cache=True)
def surplus(i: int, rows: int, columns: int) -> int:
    """Return the first column of row `i` that no pooling window covers."""
    return 0 if i == rows // 2 * 2 else columns // 2 * 2


@njit(cache=True)
def pool_forward(x: Any, bias: Any, largest: Any, pooled: Any, sums: Any) -> None:
    """Pool relu(x + bias) over 2 x 2 windows, by maximum where `largest`, else by minimum.

    `sums` (4 x C, float64, zeros) receives the sum and sum of squares of relu(x + bias), then of `pooled`.
    """
    images, rows, columns, channels = x.shape
    part = np.empty((4, channels), np.float32)
    for n in range(images):
        part[:] = 0
        for i in range(rows // 2):
            for j in range(columns // 2):
                for k in range(channels):
                    b = bias[k]
                    r0 = relu(x[n, 2 * i, 2 * j, k] + b)
                    r1 = relu(x[n, 2 * i, 2 * j + 1, k] + b)
                    r2 = relu(x[n, 2 * i + 1, 2 * j, k] + b)
                    r3 = relu(x[n, 2 * i + 1, 2 * j + 1, k] + b)
                    part[0, k] += (r0 + r1) + (r2 + r3)
                    part[1, k] += (r0 * r0 + r1 * r1) + (r2 * r2 + r3 * r3)
                    highest = max(max(r0, r1), max(r2, r3))
                    lowest = min(min(r0, r1), min(r2, r3))
                    p = highest if largest[k] else lowest
                    pooled[n, i, j, k] = p
                    part[2, k] += p
                    part[3, k] += p * p
        for i in range(rows):
            for j in range(surplus(i, rows, columns), columns):
                for k in range(channels):
                    r = relu(x[n, i, j, k] + bias[k])
                    part[0, k] += r
                    part[1, k] += r * r
        sums += part


@njit(cache=True)
def sums_backward(grad: Any, pooled: Any, sums: Any) -> None:
    """`sums` (2 x C, float64, zeros) receives the sum of `grad` and of `grad * pooled`."""
    images, rows, columns, channels = grad.shape
    part = np.empty((2, channels), np.float32)
    for n in range(images):
        part[:] = 0
        for i in range(rows):
            for j in range(columns):
                for k in range(channels):
                    g = grad[n, i, j, k]
                    part[0, k] += g
                    part[1, k] += g * pooled[n, i, j, k]
        sums += part


@njit(cache=True)
def pool_backward(x: Any, pooled: Any, grad: Any, coefficients: Any, grad_x: Any, grad_bias: Any) -> None:
    """Write the gradient at x into `grad_x`, and add its sums to `grad_bias` (C, float64, zeros).

    With r = x + bias, it is offset + slope * r where r > 0, and at the first place of each window that holds the
    pooled value p, d0 * grad + d1 + d2 * p more. `coefficients` is 6 x LIMIT: bias, offset, slope, d0, d1, d2.
    """
    images, rows, columns, channels = x.shape
    c = coefficients.ravel()
    local = np.empty(4 * LIMIT, np.float32)
    part = np.empty(channels, np.float32)
    for n in range(images):
        part[:] = 0
        for i in range(rows // 2):
            for j in range(columns // 2):
                for k in range(channels):
                    b, offset, slope = c[k], c[LIMIT + k], c[2 * LIMIT + k]
                    r0 = x[n, 2 * i, 2 * j, k] + b
                    r1 = x[n, 2 * i, 2 * j + 1, k] + b
                    r2 = x[n, 2 * i + 1, 2 * j, k] + b
                    r3 = x[n, 2 * i + 1, 2 * j + 1, k] + b
                    p = pooled[n, i, j, k]
                    d = c[3 * LIMIT + k] * grad[n, i, j, k] + c[4 * LIMIT + k] + c[5 * LIMIT + k] * p
                    d0 = d if r0 == p else ZERO
                    d = ZERO if r0 == p else d
                    d1 = d if r1 == p else ZERO
                    d = ZERO if r1 == p else d
                    d2 = d if r2 == p else ZERO
                    d = ZERO if r2 == p else d
                    d3 = d if r3 == p else ZERO
                    local[k] = offset + slope * r0 + d0 if r0 > ZERO else ZERO
                    local[LIMIT + k] = offset + slope * r1 + d1 if r1 > ZERO else ZERO
                    local[2 * LIMIT + k] = offset + slope * r2 + d2 if r2 > ZERO else ZERO
                    local[3 * LIMIT + k] = offset + slope * r3 + d3 if r3 > ZERO else ZERO
                for k in range(channels):
                    grad_x[n, 2 * i, 2 * j, k] = local[k]
                for k in range(channels):
                    grad_x[n, 2 * i, 2 * j + 1, k] = local[LIMIT + k]
                for k in range(channels):
                    grad_x[n, 2 * i + 1, 2 * j, k] = local[2 * LIMIT + k]
                for k in range(channels):
                    grad_x[n, 2 * i + 1, 2 * j + 1, k] = local[3 * LIMIT + k]
                for k in range(channels):
                    part[k] += (local[k] + local[LIMIT + k]) + (local[2 * LIMIT + k] + local[3 * LIMIT + k])
        for i in range(rows):
            for j in range(surplus(i, rows, columns), columns):
                for k in range(channels):
                    r = x[n, i, j, k] + c[k]
                    g = c[LIMIT + k] + c[2 * LIMIT + k] * r if r > ZERO else ZERO
                    grad_x[n, i, j, k] = g
                    part[k] += g
        grad_bias += part
