"""Time of Adam's step on many small sharded tensors, as FSDP2 makes them, beside torch's, in turns: one run."""

import socket
import statistics
import time

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor

import surefoot.torch


def main(tensors: int = 161, rounds: int = 60) -> None:
    """Print the median step of each optimizer, and its ratio to torch's fused one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    dist.init_process_group("gloo", init_method=where, rank=0, world_size=1)
    try:
        mesh = init_device_mesh("cpu", (1,))
        steps = {
            "Surefoot": surefoot.torch.Adam(sharded(tensors, mesh)).step,
            "torch fused": torch.optim.Adam(sharded(tensors, mesh), fused=True).step,
            "torch foreach": torch.optim.Adam(sharded(tensors, mesh), foreach=True).step,
        }
        times: dict[str, list[float]] = {name: [] for name in steps}
        for step in steps.values():
            step()
        for _ in range(rounds):
            for name, step in steps.items():
                start = time.perf_counter()
                step()
                times[name].append(time.perf_counter() - start)
    finally:
        dist.destroy_process_group()
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        print(f"{name:<13} {1e3 * median:6.2f} ms, {median / medians['torch fused']:.2f} times torch fused")


def sharded(count: int, mesh: dist.DeviceMesh) -> list[torch.nn.Parameter]:
    """Return parameters of four weights each, divided among the processes of a mesh, and their gradients."""
    made = [torch.nn.Parameter(distribute_tensor(torch.randn(4), mesh, [Shard(0)])) for _ in range(count)]
    for p in made:
        p.grad = distribute_tensor(torch.randn(4), mesh, [Shard(0)])
    return made


if __name__ == "__main__":
    main()
