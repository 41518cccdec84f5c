"""PyTorch's quickstart on Fashion-MNIST, step by step as the tutorial has it, with our SGD.

The tutorial prints the test loss after five epochs; builds of it and users' own runs differ by the seed of the weights.
Batches come in the order of the file, as the tutorial does not shuffle.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from statistics import fmean
from typing import Any

from surefoot.datasets import load
from surefoot.selfcheck.statements import Figure, Statement

EPOCHS, BATCH, RATE = 5, 64, 1e-3
PUBLISHED, SPREAD = 1.0745, 0.006


def quickstart(
    seeds: int, data_dir: str | os.PathLike[str] | None = None, tell: Callable[[str], None] = lambda _: None
) -> Statement:
    """Repeat the tutorial with some seeds, and compare their mean with what it prints.

    Args:
        seeds: number of runs.
        data_dir: folder that is searched for Fashion-MNIST first.
        tell: function that takes a line after each run.
    """
    losses = []
    for seed in range(seeds):
        losses.append(loss_of_run(seed, data_dir=data_dir))
        tell(f"PyTorch's quickstart: {seed + 1} of {seeds} runs")
    figure = Figure(
        f"test loss after {EPOCHS} epochs",
        f"{PUBLISHED} ± {SPREAD}",
        fmean(losses),
        PUBLISHED - SPREAD,
        PUBLISHED + SPREAD,
    )
    return Statement(
        "PyTorch's quickstart on Fashion-MNIST",
        f"784-512-512-10 with ReLU, SGD at rate {RATE}, batches of {BATCH} in the file's order; mean of {seeds} seeds",
        "docs.pytorch.org, Learn the Basics: Quickstart, as printed by several of its builds",
        (figure,),
    )


def loss_of_run(
    seed: int, *, epochs: int = EPOCHS, images: int = 60_000, data_dir: str | os.PathLike[str] | None = None
) -> float:
    """Return the mean loss of the test images after this many epochs over the first images."""
    import torch

    from surefoot.torch import SGD

    data = load("fashion-mnist", data_dir)

    def tensors(pictures: Any, labels: Any) -> tuple[Any, Any]:
        return torch.from_numpy(pictures).flatten(1).float() / 255, torch.from_numpy(labels).long()

    pictures, labels = tensors(data.train_images[:images], data.train_labels[:images])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = (torch.nn.Linear(784, 512), torch.nn.ReLU(), torch.nn.Linear(512, 512), torch.nn.ReLU())
        model = torch.nn.Sequential(*layers, torch.nn.Linear(512, 10))
    loss, optimizer = torch.nn.CrossEntropyLoss(), SGD(model.parameters(), lr=RATE)
    for _ in range(epochs):
        for batch, targets in zip(pictures.split(BATCH), labels.split(BATCH), strict=True):
            optimizer.zero_grad()
            loss(model(batch), targets).backward()
            optimizer.step()
    with torch.no_grad():
        seen, targets = tensors(data.test_images, data.test_labels)
        return float(loss(model(seen), targets))
