"""FSDP2: shard the model first, then make the optimizer, so that its state is sharded like the weights.

Clipping by norm (`max_grad_norm`) uses the norm over all shards.

    torchrun --standalone --nproc-per-node 2 fsdp2.py
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.functional import mse_loss

import surefoot.torch


def main():
    """Train a model that no process holds whole."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    fully_shard(model, mesh=init_device_mesh(device, (dist.get_world_size(),)))
    optimizer = surefoot.torch.AdamW(model.parameters(), lr=1e-2, max_grad_norm=1.0)

    torch.manual_seed(dist.get_rank())
    x = torch.randn(256, 4, device=device)
    y = x.sum(dim=1, keepdim=True)
    first = mse_loss(model(x), y).item()
    for _ in range(200):
        optimizer.zero_grad()
        loss = mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    if dist.get_rank() == 0:
        print(f"loss {first:.4f} -> {loss.item():.4f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
