"""Weights in bfloat16, without float32 copies: rounded at random, so that small steps are not lost."""

import torch
from torch import nn
from torch.nn.functional import mse_loss

import surefoot.torch

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1)).to(torch.bfloat16)
optimizer = surefoot.torch.AdamW(model.parameters(), lr=1e-2, seed=0)

x = torch.randn(256, 4, dtype=torch.bfloat16)
y = x.sum(dim=1, keepdim=True)
losses = []
for _ in range(200):
    optimizer.zero_grad()
    loss = mse_loss(model(x).float(), y.float())
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
