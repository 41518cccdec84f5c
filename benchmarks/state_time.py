"""Time of Adam's step with state in float32, bfloat16 and 8 bits on ResNet-50's parameters, in turns: one run."""

import statistics
import time

import torch

import surefoot.torch
from surefoot.bench.arena import Arena
from surefoot.bench.shapes import find_set

KINDS = {"float32": None, "bfloat16": torch.bfloat16, "8 bits": torch.uint8}


def main(name: str = "resnet50", rounds: int = 15) -> None:
    """Print the median step of each kind of state, and its ratio to float32."""
    arena = Arena(find_set(name).shapes, torch.float32)
    steps = {
        kind: surefoot.torch.Adam(arena.parameters, lr=1e-4, state_dtype=dtype).step for kind, dtype in KINDS.items()
    }
    times: dict[str, list[float]] = {kind: [] for kind in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for kind, step in steps.items():
            step()
            start = time.perf_counter()
            step()
            times[kind].append(time.perf_counter() - start)
    medians = {kind: statistics.median(taken) for kind, taken in times.items()}
    for kind, median in medians.items():
        print(f"{kind:<9} {1e3 * median:6.2f} ms, {median / medians['float32']:.2f} times float32")


if __name__ == "__main__":
    main()
