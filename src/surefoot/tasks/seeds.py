"""Random numbers from a seed, without any effect on the process's own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(*seeds: int) -> Iterator[None]:
    """Seed torch's, NumPy's and Python's global random numbers inside the block."""
    pythons, numpys = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        seed_everything(*seeds)
        try:
            yield
        finally:
            random.setstate(pythons)
            np.random.set_state(numpys)


def seed_everything(*seeds: int) -> None:
    """Seed torch's, NumPy's and Python's global random numbers from numbers of at least 0."""
    mixed = int(np.random.SeedSequence(list(seeds)).generate_state(1)[0])
    if torch.accelerator.current_accelerator() is None:
        torch.default_generator.manual_seed(mixed)  # `torch.manual_seed` formats the stack for each missing device
    else:
        torch.manual_seed(mixed)
    np.random.seed(mixed)
    random.seed(mixed)
