"""A variational autoencoder (Kingma & Welling, ICLR 2014) on binarized images: a task without accuracy.

The encoder and the decoder have one hidden layer of 256, the latent space 8 dimensions: 408,864 numbers. The loss is
the negative evidence lower bound in nats an image: the Bernoulli cross-entropy of its 784 pixels plus the divergence of
the latent distribution from a standard normal one. In training the latent value is drawn, by torch's global generator;
in evaluation it is the mean, so that the same weights always give the same loss. The loss is also the metric.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from surefoot.tasks.models.parts import dense

PIXELS, HIDDEN, LATENT = 28 * 28, 256, 8
HALF = 127  # a pixel above it is ink


class Autoencoder(nn.Module):
    """Binary images, N x 784, to the logits of their pixels and the mean and log-variance of the latent value.

    Args:
        generator: draws the initial weights.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.encoder = nn.Sequential(dense(PIXELS, HIDDEN, generator), nn.ReLU(), dense(HIDDEN, 2 * LATENT, generator))
        self.decoder = nn.Sequential(dense(LATENT, HIDDEN, generator), nn.ReLU(), dense(HIDDEN, PIXELS, generator))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, draw (in training), decode."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        latent = mean + torch.randn_like(mean) * (log_variance / 2).exp() if self.training else mean
        return self.decoder(latent), mean, log_variance


def make_model(seed: int) -> nn.Module:
    """Return the autoencoder with the initial weights of a seed. Torch's global random numbers stay untouched."""
    return Autoencoder(torch.Generator().manual_seed(seed))


def measure(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the mean loss of a batch of raw images, twice: it is the metric too. The labels are not looked at."""
    ink = (batch[0].flatten(1) > HALF).float()
    logits, mean, log_variance = model(ink)
    wrong = functional.binary_cross_entropy_with_logits(logits, ink, reduction="none").sum(1)
    divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum(1) / 2
    loss = (wrong + divergence).mean()
    return loss, loss.detach()
