"""A step of SOAP beside Muon's and AdamW's on the matrices of a transformer block, and what a new basis costs.

SOAP's first step finds eigenvectors; AdamW's loads its kernel. Every tenth step after it takes a new basis, by one
product and one QR decomposition for each side of a matrix. The optimizers take turns, so that all see the same machine.

    python benchmarks/soap.py    (about one minute)
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import Parameter

import surefoot.torch
from surefoot.bench.arena import Arena

PERIOD = 10

MAKE: dict[str, Callable[[list[Parameter]], Any]] = {
    "AdamW": lambda params: surefoot.torch.AdamW(params),
    "Muon": lambda params: surefoot.torch.Muon(params),
    "SOAP": lambda params: surefoot.torch.SOAP(params, precondition_frequency=PERIOD),
}


def parameters(width: int) -> list[Parameter]:
    """Return the matrices of a transformer block of this width, with gradients."""
    return Arena([(3 * width, width), (width, width), (4 * width, width), (width, 4 * width)], torch.float32).parameters


def main() -> None:
    """Time steps in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[96, 256], help="Widths of the block.")
    parser.add_argument("--periods", type=int, default=3, help="Times ten steps of each.")
    asked = parser.parse_args()
    print(f"One transformer block in float32, {torch.get_num_threads()} threads; ms a step, medians after the first")
    print(f"{'width':>5} {'':6} {'first':>8} {'step':>8} {f'each {PERIOD}th':>9} {'mean':>8}")
    for width in asked.widths:
        optimizers = {name: make(parameters(width)) for name, make in MAKE.items()}
        taken: dict[str, list[float]] = {name: [] for name in MAKE}
        for _ in range(PERIOD * asked.periods + 1):
            for name, optimizer in optimizers.items():
                begun = time.perf_counter()
                optimizer.step()
                taken[name].append(1e3 * (time.perf_counter() - begun))
        for name, times in taken.items():
            due, others = times[PERIOD::PERIOD], [t for k, t in enumerate(times) if k % PERIOD]
            step, new = statistics.median(others), statistics.median(due)
            mean = ((PERIOD - 1) * step + new) / PERIOD
            print(f"{width:5} {name:6} {times[0]:8.1f} {step:8.2f} {new:9.2f} {mean:8.2f}")


if __name__ == "__main__":
    main()
