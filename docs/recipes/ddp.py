"""DistributedDataParallel: as with torch.optim, nothing more.

torchrun --standalone --nproc-per-node 2 ddp.py
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import mse_loss
from torch.nn.parallel import DistributedDataParallel

import surefoot.torch


def main():
    """Train with each process on data of its own."""
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    rank = dist.get_rank()
    device = torch.device("cuda", rank) if torch.cuda.is_available() else torch.device("cpu")
    torch.manual_seed(0)  # the same weights everywhere
    model = DistributedDataParallel(nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1)).to(device))
    optimizer = surefoot.torch.AdaBound(model.parameters(), lr=1e-2)

    torch.manual_seed(rank)  # other data everywhere
    x = torch.randn(256, 4, device=device)
    y = x.sum(dim=1, keepdim=True)
    first = mse_loss(model(x), y).item()
    for _ in range(100):
        optimizer.zero_grad()
        loss = mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    if rank == 0:
        print(f"loss {first:.4f} -> {loss.item():.4f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
