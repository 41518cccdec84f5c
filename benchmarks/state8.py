"""What state in 8 bits costs: its error beside other formats of a byte, a training on MNIST, and the time of a step.

The first table puts formats side by side on one sequence of gradients: a noisy quadratic whose gradients, within each
block of 256 weights, spread over some powers of ten. Every format takes the same steps of Adam, its state
encoded after each, beside float32 state. Ours is `state_dtype=torch.uint8`; `linear` is int8 in equal steps; `dynamic`
is the table of bitsandbytes (Dettmers et al., ICLR 2022, arXiv:2110.02861), written anew here: seven powers of ten,
each with twice as many codes as the one below. Both are relative to the largest of 256 and rounded to nearest, as
published. The second table trains the article's CNN; validation takes each batch's own statistics in BatchNorm, as the
moving ones need more than one epoch. The third times steps.

    python benchmarks/state8.py    (about two minutes)
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter, functional

import surefoot.torch
from surefoot.compiler.kernel_plan import BLOCK
from surefoot.datasets import load
from surefoot.engines.blocks import Blocks
from surefoot.engines.rounding import key, stochastic
from surefoot.tasks.models import fast_article as article
from surefoot.tasks.models.parts import pixels
from surefoot.training.process import tune_worker

Store = Callable[[Tensor, bool, int], Tensor]
"""Returns numbers as they are after they have been stored: of the numbers, whether none is negative, and the step."""

# The first table: formats

WEIGHTS, LAST = 32 * BLOCK, 100
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
FALL, FALLEN = 500, 0.1
SCENES = {"10": (1, 1000), "100": (2, 1000), "10,000": (4, 1000), "1,000,000": (6, 1000), "10, half fall": (1, 4000)}
"""By how much the gradients of a block differ: powers of ten, and steps; the longest has gradients that fall."""


def ours(*, at_random: bool) -> Store:
    def store(x: Tensor, positive: bool, t: int) -> Tensor:
        made = Blocks.full(x, 0.0, positive=positive)
        made.write(x, key(0, 0, t) if at_random else None, int(positive))
        return made.read()

    return store


def from_table(signed: Tensor, unsigned: Tensor) -> Store:
    """Store numbers as the nearest share of their block's largest that is in a table."""

    def store(x: Tensor, positive: bool, _: int) -> Tensor:
        shares = unsigned if positive else signed
        top = x.abs().view(-1, BLOCK).amax(1).repeat_interleave(BLOCK)
        wanted = torch.where(top > 0, x / top, 0)
        middles = (shares[1:] + shares[:-1]) / 2
        return shares[torch.bucketize(wanted, middles)] * top

    return store


def dynamic(codes: int) -> list[float]:
    """The positive half of the dynamic table: `codes` numbers in the highest of seven powers of ten."""
    shares = [1.0]
    for power in range(7):
        edges = np.linspace(0.1, 1, (codes >> power) + 1)
        shares += (10.0**-power * (edges[1:] + edges[:-1]) / 2).tolist()
    return sorted(shares)


def both_signs(shares: list[float]) -> Tensor:
    """The table with negative numbers, of which -1 is missing: 0 takes its code."""
    return torch.tensor(sorted([*(-x for x in shares if x < 1), 0.0, *shares]))


STATES: dict[str, Store] = {
    "uint8 (ours)": ours(at_random=True),
    "uint8 (ours), to nearest": ours(at_random=False),
    "dynamic (bitsandbytes)": from_table(both_signs(dynamic(64)), torch.tensor([0.0, *dynamic(128)])),
    "linear": from_table(torch.arange(-127, 128) / 127, torch.arange(256) / 255),
    "bfloat16 (ours)": lambda x, positive, t: stochastic(x, key(0, 0, t), int(positive)).float(),
    "bfloat16, to nearest": lambda x, *_: x.bfloat16().float(),
}


def compare_formats(spread: float, steps: int) -> dict[str, tuple[float, float]]:
    """Each format's error of the update, relative to float32 state, and its largest step in units of the rate."""
    generator = torch.Generator().manual_seed(0)
    scale = 10 ** (-spread * torch.rand(WEIGHTS, generator=generator))
    weight = torch.randn(WEIGHTS, generator=generator)
    moments = {name: torch.zeros(2, WEIGHTS) for name in ("float32", *STATES)}
    errors, largest, size = dict.fromkeys(STATES, 0.0), dict.fromkeys(STATES, 0.0), 0.0
    for t in range(1, steps + 1):
        if steps > 1000 and t == FALL:
            scale[::2] *= FALLEN
        gradient = scale * (weight + torch.randn(WEIGHTS, generator=generator))
        c1, c2 = 1 - BETA1**t, math.sqrt(1 - BETA2**t)
        moves = {}
        for name, (m, v) in moments.items():
            m.lerp_(gradient, 1 - BETA1)
            v.lerp_(gradient * gradient, 1 - BETA2)
            moves[name] = m / c1 / (v.sqrt() / c2 + EPS)
        for name, store in STATES.items():
            if t > steps - LAST:
                errors[name] += float((moves[name] - moves["float32"]).double().square().sum())
                largest[name] = max(largest[name], float(moves[name].abs().max()))
            m, v = moments[name]
            m.copy_(store(m, False, t))
            v.copy_(store(v, True, t))
        size += float(moves["float32"].double().square().sum()) if t > steps - LAST else 0.0
        weight -= 1e-3 * moves["float32"]
    return {name: (math.sqrt(error / size), largest[name]) for name, error in errors.items()}


def formats() -> None:
    found = {name: compare_formats(*scene) for name, scene in SCENES.items()}
    print(f"Adam, error of the last {LAST} updates of 1,000 relative to float32 state (largest update in units of the")
    print("rate), by how many times as large as its smallest the largest gradients of a block are. Half fall: from")
    print(f"step {FALL} on every other gradient is a tenth; 4,000 steps.")
    print(f"  {'state':<26}" + "".join(f"{name:>20}" for name in SCENES))
    for name in STATES:
        cells = [f"{error:.2g} ({largest:.2g})" for error, largest in (found[scene][name] for scene in SCENES)]
        print(f"  {name:<26}" + "".join(f"{cell:>20}" for cell in cells))


# The second table: a training

TRAIN, VALIDATION, BATCH, SEEDS = 12_000, 10_000, 60, 3
KEPT: dict[str, dict[str, Any]] = {
    "float32": {},
    "bfloat16": {"state_dtype": torch.bfloat16},
    "uint8": {"state_dtype": torch.uint8},
    "uint8, to nearest": {"state_dtype": torch.uint8, "stochastic_rounding": False},
}


def train(data: Any, optimizer_class: Any, seed: int, options: dict[str, Any]) -> tuple[float, float, int]:
    """Train one epoch: validation loss and accuracy, and the bytes of the optimizer's state."""
    model = article.make_model(seed)
    optimizer = optimizer_class(model.parameters(), lr=1e-3, seed=seed, **options)
    images, labels = torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels).long()
    model.train()
    for index in torch.from_numpy(np.random.default_rng(seed).permutation(TRAIN)).split(BATCH):
        optimizer.zero_grad()
        functional.cross_entropy(model(pixels(images[index].unsqueeze(1))), labels[index]).backward()
        optimizer.step()
    with torch.no_grad():
        parts = torch.arange(len(labels) - VALIDATION, len(labels)).split(BATCH)
        outputs = torch.cat([model(pixels(images[part].unsqueeze(1))) for part in parts])
    wanted = labels[-VALIDATION:]
    accuracy = float((outputs.argmax(1) == wanted).double().mean())
    return float(functional.cross_entropy(outputs, wanted)), accuracy, state_bytes(optimizer)


def state_bytes(optimizer: torch.optim.Optimizer) -> int:
    slots = [x for own in optimizer.state.values() for name, x in own.items() if name != "step"]
    return sum(x.numel() * x.element_size() for x in slots)


def training() -> None:
    data = load("mnist")
    print(f"The article's CNN on {TRAIN:,} images of MNIST, one epoch in batches of {BATCH}, lr 0.001, validated on")
    print(f"{VALIDATION:,} others; mean over {SEEDS} seeds (lowest to highest):")
    print(f"  {'optimizer':<10} {'state':<18} {'state, MB':>10}   {'validation loss':<26} {'accuracy, %':<26}")
    for optimizer_class in (surefoot.torch.Adam, surefoot.torch.AdaBound):
        for name, options in KEPT.items():
            runs = [train(data, optimizer_class, seed, options) for seed in range(SEEDS)]
            losses, hits, size = zip(*runs, strict=True)
            row = f"  {optimizer_class.__name__:<10} {name:<18} {size[0] / 1e6:>10.2f}"
            print(f"{row}   {spread(losses, 4):<26} {spread([100 * x for x in hits], 2):<26}", flush=True)


def spread(values: Any, digits: int) -> str:
    return f"{statistics.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


# The third table: time

SIZE, ROUNDS, WARM = 25_000_000, 15, 2


def timing() -> None:
    optimizers = {}
    for name, options in KEPT.items():
        weight = Parameter(torch.randn(SIZE))
        optimizers[name] = weight, surefoot.torch.Adam([weight], **options)
    gradient = torch.randn(SIZE)
    taken: dict[str, list[float]] = {name: [] for name in optimizers}
    for _ in range(ROUNDS + WARM):
        for name, (weight, optimizer) in optimizers.items():
            weight.grad = gradient
            start = time.perf_counter()
            optimizer.step()
            taken[name].append(time.perf_counter() - start)
    print(f"A step of Adam on {SIZE:,} float32 weights, one thread, medians of {ROUNDS} interleaved rounds:")
    base = taken["float32"][WARM:]
    for name, (_, optimizer) in optimizers.items():
        times = taken[name][WARM:]
        ratio = statistics.median(own / other for own, other in zip(times, base, strict=True))
        row = f"  {name:<18} {1e3 * statistics.median(times):6.1f} ms   {ratio:.2f} of float32"
        print(f"{row}   {state_bytes(optimizer) / SIZE:.2f} bytes a weight")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    tune_worker()
    for part in (formats, training, timing):
        start = time.perf_counter()
        part()
        print(f"  [{time.perf_counter() - start:.0f} s]\n", flush=True)


if __name__ == "__main__":
    main()
