"""Accelerate: `prepare` takes the optimizer like any of torch's."""

import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

import surefoot.torch

torch.manual_seed(0)
x = torch.randn(256, 4)
data = DataLoader(TensorDataset(x, x.sum(dim=1, keepdim=True)), batch_size=64, shuffle=True)
model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = surefoot.torch.AdaBound(model.parameters(), lr=1e-2)

accelerator = Accelerator(cpu=not torch.cuda.is_available())
model, optimizer, data = accelerator.prepare(model, optimizer, data)
losses = []
for _ in range(30):
    for inputs, targets in data:
        optimizer.zero_grad()
        loss = mse_loss(model(inputs), targets)
        accelerator.backward(loss)
        optimizer.step()
        losses.append(loss.item())
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
