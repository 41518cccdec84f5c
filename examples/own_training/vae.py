"""A variational autoencoder, whose KL term comes in slowly, judged by the negative bound of the likelihood.

surefoot compare vae.py:train --better min --epochs 5
"""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits


def bars(count, seed):
    """Return pictures of 4 by 4 pixels, each with bars across or down."""
    generator = torch.Generator().manual_seed(seed)
    across, down = (torch.rand(2, count, 4, generator=generator) < 0.3).float()
    return torch.maximum(across[:, :, None], down[:, None, :]).flatten(1)


class Autoencoder(nn.Module):
    """Encodes a picture as the mean and the spread of four numbers, and decodes numbers drawn from them."""

    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
        self.decode = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 16))

    def forward(self, pictures, generator=None):
        """Return how far what was decoded is from the pictures, and the KL term."""
        mean, log_variance = self.encode(pictures).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=generator)
        found = self.decode(mean + noise * (log_variance / 2).exp())
        distance = binary_cross_entropy_with_logits(found, pictures, reduction="sum") / len(pictures)
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2 / len(pictures)
        return distance, divergence


def train(run):
    """Train once."""
    model = Autoencoder()
    optimizer = run.optimizer(model)
    run.save(model=model)
    pictures, validation, test = bars(512, 0), bars(256, 1), bars(256, 2)
    epochs = run.epochs()

    def bound(part):
        with torch.no_grad():
            return sum(model(part, torch.Generator().manual_seed(0)))

    for epoch in epochs:
        weight = min(1.0, epoch / 4)  # of the KL term
        for rows in torch.randperm(512).split(32):
            optimizer.zero_grad()
            distance, divergence = model(pictures[rows])
            loss = distance + weight * divergence
            loss.backward()
            optimizer.step()
            run.step(loss)
        run.report(lambda: bound(validation))
    run.test(lambda: bound(test))
