"""A step of Muon beside torch.optim.Muon's on the hidden matrices of GPT-2, and how much of it the products take.

torch's products are bfloat16, whatever the weights are; ours with `products="bfloat16"` are as exact as those, and else
computed in the weights' own kind of numbers. They take turns, so that all see the same machine: the ratio is the median
of each turn's step over torch's.

    python benchmarks/muon.py    (about two minutes)
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from torch.nn import Parameter

import surefoot.torch
from surefoot import mathops
from surefoot.bench.arena import Arena
from surefoot.bench.shapes import find_set

MAKE: dict[str, Callable[[list[Parameter]], Any]] = {
    "torch.optim.Muon": lambda params: torch.optim.Muon(params),
    "surefoot, bfloat16 products": lambda params: surefoot.torch.Muon(params, products="bfloat16"),
    "surefoot, float32 products": lambda params: surefoot.torch.Muon(params),
}


def parameters(blocks: int) -> list[Parameter]:
    """Return the matrices of so many blocks of GPT-2, with gradients; four a block, embeddings left out."""
    shapes = [shape for shape in find_set("gpt2").shapes if len(shape) == 2][2 : 2 + 4 * blocks]
    return Arena(shapes, torch.float32).parameters


def main() -> None:
    """Time steps in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=4, help="Blocks of GPT-2, of twelve.")
    parser.add_argument("--rounds", type=int, default=10, help="Steps of each.")
    asked = parser.parse_args()
    optimizers = {name: make(parameters(asked.blocks)) for name, make in MAKE.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in MAKE}
    for _ in range(asked.rounds + 1):
        for name, optimizer in optimizers.items():
            taken[name].append(timed(optimizer))
    print(f"{asked.blocks} blocks of GPT-2, {torch.get_num_threads()} threads; ms a step, medians of {asked.rounds}")
    print(f"{'':28} {'step':>8} {'products':>9} {'others':>7} {'ratio':>6}")
    theirs = [step for step, _ in taken["torch.optim.Muon"]]
    for name, times in taken.items():
        ratio = statistics.median(step / other for (step, _), other in zip(times[1:], theirs[1:], strict=True))
        step, products = (1e3 * statistics.median(some) for some in zip(*times[1:], strict=True))
        split = f"{products:9.1f} {step - products:7.1f}" if products else f"{'-':>9} {'-':>7}"
        print(f"{name:28} {step:8.1f} {split} {ratio:6.2f}")


def timed(optimizer: Any) -> tuple[float, float]:
    """Return the seconds that a step takes, and those within our products."""
    spent = 0.0
    products = mathops.drawn_to_one

    def watched(*arguments: Any) -> Any:
        nonlocal spent
        begun = time.perf_counter()
        made = products(*arguments)
        spent += time.perf_counter() - begun
        return made

    with mock.patch.object(mathops, "drawn_to_one", watched):
        begun = time.perf_counter()
        optimizer.step()
        return time.perf_counter() - begun, spent


if __name__ == "__main__":
    main()
