"""The tutorial's network: a small CNN for 28 x 28 images in ten classes, with Keras's layers.

Two convolutions with ReLU, each followed by BatchNorm, 2 x 2 max-pooling and another BatchNorm; a dense layer of 256
with ReLU and BatchNorm; ten outputs. The softmax is in the loss. Initial weights (Glorot uniform, biases zero),
BatchNorm (momentum 0.99, epsilon 1e-3, moving variance from the biased variance) and the order in which Flatten lays
out pixels (row, column, channel) are Keras's: 433,034 numbers with the moving statistics. This is the definition; the
study trains `fast_article.py`, which has faster ways to the same values on a CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from surefoot.tasks.models.parts import classified, pixels, uninitialized

EPSILON = 1e-3
MOMENTUM = 0.01  # in torch's sense: the share of the new batch; Keras calls its complement 0.99 momentum


class BatchNorm(nn.Module):
    """BatchNorm over all but axis 1. Its moving variance takes the biased variance, unlike torch's.

    Args:
        channels: the length of axis 1.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize by the batch's statistics in training, by the moving ones in evaluation."""
        if not self.training:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=EPSILON)
        y, mean, rstd = torch.native_batch_norm(x, self.weight, self.bias, None, None, True, 0.0, EPSILON)
        self.track(mean, rstd**-2 - EPSILON)
        return y

    @torch.no_grad()
    def track(self, mean: Tensor, variance: Tensor) -> None:
        """Move the moving statistics towards those of a batch."""
        self.running_mean.lerp_(mean, MOMENTUM)
        self.running_var.lerp_(variance, MOMENTUM)


class ConvBlock(nn.Module):
    """Conv 3 x 3 without padding, ReLU, BatchNorm, max-pooling 2 x 2, BatchNorm.

    Args:
        inputs: channels in.
        outputs: channels out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        conv = uninitialized(nn.Conv2d(inputs, outputs, 3, device="meta"))
        self.conv = conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.norm = BatchNorm(outputs)
        self.pooled_norm = BatchNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """N x inputs x H x W to N x outputs x (H - 2) // 2 x (W - 2) // 2."""
        return self.after(functional.conv2d(x, self.conv.weight))

    def after(self, y: Tensor) -> Tensor:
        """Apply the rest of the block after the convolution, from its bias on."""
        y = self.norm(functional.relu(y + self.conv.bias.view(-1, 1, 1)))
        normalized: Tensor = self.pooled_norm(functional.max_pool2d(y, 2))
        return normalized


class Flatten(nn.Module):
    """Keras's Flatten: row, column, channel; of a channels_last tensor it is a view."""

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W to N x (H * W * C)."""
        return x.permute(0, 2, 3, 1).flatten(1)


def make_model(seed: int) -> nn.Sequential:
    """Return the network with the initial weights of a seed. Torch's global random numbers stay as they are."""
    model = nn.Sequential(
        ConvBlock(1, 32),
        ConvBlock(32, 64),
        Flatten(),
        uninitialized(nn.Linear(5 * 5 * 64, 256, device="meta")),
        nn.ReLU(),
        BatchNorm(256),
        uninitialized(nn.Linear(256, 10, device="meta")),
    )
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)  # Keras calls it Glorot uniform
            nn.init.zeros_(layer.get_parameter("bias"))
    return model


def measure(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy and the accuracy of a batch of raw images and labels."""
    return classified(model(pixels(batch[0].unsqueeze(1))), batch[1])
