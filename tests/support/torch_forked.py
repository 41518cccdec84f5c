"""Steps beside forked children, in a process of its own: JAX, which the suite has loaded, allows no fork.

Prints what came out of each case. A child that hangs is killed.
"""

from __future__ import annotations

import json
import multiprocessing
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import Parameter

import surefoot.torch
from surefoot.engines.cpu import Pace

FORK = multiprocessing.get_context("fork")
LARGE = 3_000_000
"""Weights that two threads share."""


def in_child(work: Callable[[], Any], seconds: float = 60) -> Any:
    """Return what a forked child returns; None if it does not end in time, and then it is killed."""
    here, there = FORK.Pipe()
    child = FORK.Process(target=lambda: there.send(work()), daemon=True)
    child.start()
    found = here.recv() if here.poll(seconds) else None
    child.kill()
    child.join()
    return found


def large() -> tuple[Parameter, Any]:
    p = Parameter(torch.zeros(LARGE))
    p.grad = torch.linspace(-1, 1, LARGE)
    return p, surefoot.torch.Adam([p])


def steps() -> dict[str, bool]:
    """Parent and child step, after the parent has with two threads; none of the child's threads is the parent's.

    The child looks at what came out with NumPy: torch's own work on many threads hangs there.
    """
    torch.set_num_threads(2)
    Pace.shared = True  # also where others use the cores
    (p, optimizer), (q, alone) = large(), large()
    for _ in range(2):
        optimizer.step()
    for _ in range(3):
        alone.step()
    found, expected = p.detach().numpy(), q.detach().numpy()
    there = in_child(lambda: (optimizer.step(), bool((found == expected).all()))[1])
    optimizer.step()
    return {"child": bool(there), "parent": bool((found == expected).all())}


def writes() -> dict[str, bool]:
    """A child halves the moments and the weights and sets the count, in memory that it shares with its parent."""
    return {name: sees(name) for name in ("Adam", "AMSBound", "SGD")}


def sees(name: str) -> bool:
    options = {"momentum": 0.9} if name == "SGD" else {}
    (p, ours), (q, twin) = (shared(getattr(surefoot.torch, name), engine, options) for engine in ("cpu", "eager"))

    def write(p: Parameter = p, optimizer: Any = ours) -> bool:
        for x in (p.detach(), *optimizer.state[p].values()):
            x.numpy()[...] *= 0.5
        optimizer.state[p]["step"].numpy()[()] = 1000
        return True

    in_child(write)
    write(q, twin)
    for _ in range(2):
        ours.step()
        twin.step()
    return torch.allclose(p, q, rtol=1e-12, atol=1e-12) and bool(ours.state[p]["step"] == 1002)


def shared(make: Any, engine: str, options: dict[str, Any]) -> tuple[Parameter, Any]:
    p = Parameter(torch.linspace(-1, 1, 50, dtype=torch.float64).share_memory_())
    p.grad = torch.linspace(1, 2, 50, dtype=torch.float64)
    optimizer = make([p], lr=0.1, engine=engine, **options)
    optimizer.step()
    for x in optimizer.state[p].values():
        x.share_memory_()
    optimizer.step()
    return p, optimizer


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: a fork beside threads may hang
    print(json.dumps({"writes": writes(), "steps": steps()}))
