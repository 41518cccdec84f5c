"""A training that is interrupted at random moments, in a process of its own: it may crash, and it takes signals.

Run as `python torch_interrupted.py`, with no compiled kernel in the cache: one process runs every case, as importing
torch takes seconds. A timer's signal raises KeyboardInterrupt as Ctrl-C does, somewhere in `step()`. A second training,
never interrupted, says what each step should have done: the interrupted one has either not happened, and is taken
again, or has happened whole. Prints, for each case, how many signals there were, and what was found wrong.
"""

from __future__ import annotations

import functools
import json
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

import surefoot.torch
from surefoot.engines.cpu import Pace


def many() -> Any:
    """Two hundred tensors of ten weights: the step is nearly all Python."""
    generator = torch.Generator().manual_seed(1)
    return surefoot.torch.Adam([Parameter(torch.randn(10, generator=generator)) for _ in range(200)], lr=0.01)


def large() -> Any:
    """A tensor that two threads share."""
    return surefoot.torch.Adam([Parameter(torch.zeros(400_000))], lr=0.01)


def seen(optimizer: Any) -> list[Tensor]:
    """Return weights, step counts and moments, each as one tensor: a copy only where there are several parameters."""
    params = optimizer.param_groups[0]["params"]
    kept = [[optimizer.state[p][name] for p in params] for name in ("step", "exp_avg", "exp_avg_sq")]
    return [x[0] if len(x) == 1 else torch.stack(x) for x in ([p.detach() for p in params], *kept)]


def equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(map(torch.equal, one, other))


def give_gradients(optimizer: Any, k: int) -> None:
    generator = torch.Generator().manual_seed(k)
    for p in optimizer.param_groups[0]["params"]:
        grad = torch.randn(p.shape, generator=generator)
        if p.grad is None or k % 3 == 0:  # backward may write where the old one lies, or leave a new one
            p.grad = grad
        else:
            p.grad.copy_(grad)


def signalled(step: Callable[[], object], delay: float) -> bool:
    """Run a step with a signal after so many seconds; tell whether it came through."""
    try:
        signal.setitimer(signal.ITIMER_REAL, delay)
        step()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return True
    return False


def settled(optimizer: Any) -> bool:
    """Tell whether nothing writes any more: fill the weights, wait, look, and put back what there was."""
    (p,) = optimizer.param_groups[0]["params"]
    state = [x.clone() for x in optimizer.state[p].values()]
    kept = p.detach().clone()
    with torch.no_grad():
        p.fill_(7)
        time.sleep(0.02)
        quiet = bool((p == 7).all()) and equal([*optimizer.state[p].values()], state)
        p.copy_(kept)
    return quiet


def train(make: Callable[[], Any], seed: int, count: int) -> dict[str, Any]:
    random.seed(seed)
    optimizer, reference = make(), make()
    for k in range(3):
        for each in (optimizer, reference):
            give_gradients(each, k)
            each.step()
    signals, wrong, k = 0, [], 3
    while signals < count and k < 10 * count:
        k += 1
        for each in (optimizer, reference):
            give_gradients(each, k)
        before = [x.clone() for x in seen(optimizer)]
        begin = time.perf_counter()
        reference.step()
        lasts = time.perf_counter() - begin  # now: other processes come and go
        came = signalled(optimizer.step, random.uniform(1e-6, 1.2 * lasts))
        signals += came
        if came and make is large and not settled(optimizer):
            wrong.append(f"step {k}: something writes after it has raised")
        if equal(seen(optimizer), before):
            optimizer.step()
        if not equal(seen(optimizer), seen(reference)):
            wrong.append(f"step {k}: neither whole nor not at all, or wrong numbers")
            break
    return {"signals": signals, "wrong": wrong}


def compile_first_steps(seed: int, count: int) -> dict[str, Any]:
    """Interrupt first steps, which compile; so many of each rule, and then let it be."""
    random.seed(seed)
    signals, wrong = 0, []
    for name in ("SGD", "Adagrad", "Adam"):
        make = getattr(surefoot.torch, name)
        optimizer, reference = (make([Parameter(torch.ones(3))], lr=0.1, engine=engine) for engine in ("cpu", "eager"))
        for each in (optimizer, reference):
            give_gradients(each, seed)
        reference.step()
        for _ in range(count):
            came = signalled(optimizer.step, random.uniform(1e-6, 1.5))
            signals += came
            if not came:
                break
        else:
            optimizer.step()
        (p,), (q,) = optimizer.param_groups[0]["params"], reference.param_groups[0]["params"]
        if not torch.allclose(p, q, rtol=1e-6, atol=0) or optimizer.state[p]["step"] != 1:
            wrong.append(name)
    return {"signals": signals, "wrong": wrong}


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "first": functools.partial(compile_first_steps, seed=4, count=3),
    "many": functools.partial(train, many, seed=1, count=120),
    "many again": functools.partial(train, many, seed=2, count=120),
    "large": functools.partial(train, large, seed=3, count=60),
}
"""The first steps come first: they are to compile."""


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    torch.set_num_threads(2)
    Pace.shared = True  # also where others use the cores
    print(json.dumps({name: run() for name, run in CASES.items()}))
