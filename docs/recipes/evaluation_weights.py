"""Weights to evaluate with: a moving average, Schedule-Free's average or the slow weights of lookahead.

`optimizer.eval()` puts them in the weights' place, `optimizer.train()` puts the training weights back, to the last bit.
A checkpoint that is saved in between has both. BatchNorm's running statistics are of the training weights: torch's
`update_bn` takes them again. `optimizer.watch(model)` warns where `eval()` was forgotten.
"""

import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim.swa_utils import update_bn

import surefoot.torch

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 32), nn.BatchNorm1d(32), nn.Tanh(), nn.Linear(32, 1))
optimizer = surefoot.torch.Adam(model.parameters(), lr=1e-2, ema=0.95)
optimizer.watch(model)

x = torch.randn(256, 4)
y = x.sum(dim=1, keepdim=True)
batches = [*zip(x.split(64), y.split(64), strict=True)]


def evaluated() -> float:
    """Return the loss with the evaluation weights, and turn back to training."""
    model.eval()
    optimizer.eval()
    update_bn((inputs for inputs, _ in batches), model)
    with torch.no_grad():
        loss = mse_loss(model(x), y).item()
    model.train()
    optimizer.train()
    return loss


losses = [evaluated()]
for _ in range(60):
    for inputs, targets in batches:
        optimizer.zero_grad()
        mse_loss(model(inputs), targets).backward()
        optimizer.step()
losses.append(evaluated())
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
