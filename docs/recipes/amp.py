"""Mixed precision: autocast and GradScaler as torch documents them.

The step unscales by itself, in its one pass over memory, and is left out where a gradient is not finite. So there is
no `scaler.unscale_(optimizer)`, and clipping by norm is an argument of the optimizer.
"""

import torch
from torch import nn
from torch.nn.functional import mse_loss

import surefoot.torch

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1)).to(device)
optimizer = surefoot.torch.Adam(model.parameters(), lr=1e-2, max_grad_norm=1.0)
scaler = torch.amp.GradScaler(device)

x = torch.randn(256, 4, device=device)
y = x.sum(dim=1, keepdim=True)
losses = []
for _ in range(200):
    optimizer.zero_grad()
    with torch.autocast(device, dtype=torch.float16 if device == "cuda" else torch.bfloat16):
        loss = mse_loss(model(x).float(), y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    losses.append(loss.item())
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
