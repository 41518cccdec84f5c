"""Contenders: a name, a library, and the function that makes a step from an arena.

A contender that is a torch optimizer does not keep state of its own: the arena's is loaded into it as a checkpoint, in
which it has the names and types that the optimizer itself chose for a parameter of a few numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from surefoot.bench.arena import Arena
from surefoot.errors import UsageError

PROBE = (8, 8)
"""The shape of a parameter that shows an optimizer's state and its shapes."""


@dataclass(frozen=True)
class Stepper:
    """A contender at work.

    Attributes:
        step: does one step and returns when it is done.
        optimizer: the torch optimizer behind it, if there is one.
        beside: bytes per weight that are kept outside that optimizer's state.
    """

    step: Callable[[], Any]
    optimizer: Optimizer | None = None
    beside: float = 0.0


@dataclass(frozen=True)
class Contender:
    """An implementation to time.

    Attributes:
        name: what it is called in tables: the library and which of its implementations.
        library: where it comes from, as it is imported; `surefoot` is ours.
        make: makes its step for the parameters of an arena.
        needs: the modules that it imports.
        engine: of ours, the engine that it is to run on.
    """

    name: str
    library: str
    make: Callable[[Arena], Stepper]
    needs: tuple[str, ...] = ("torch",)
    engine: str = ""

    @property
    def available(self) -> bool:
        """Whether all its packages are installed."""
        return all(find_spec(name) is not None for name in self.needs)


@dataclass(frozen=True)
class ReadyContender:
    """A contender that has made its first step.

    Attributes:
        step: does one step.
        tidy: puts the gradients back if it writes to them, which would grow from step to step; else None.
        state_bytes: how much state it keeps for each weight.
    """

    step: Callable[[], Any]
    tidy: Callable[[], object] | None
    state_bytes: float


def start(contender: Contender, arena: Arena) -> ReadyContender:
    """Return a contender that works in an arena and has made its first step there.

    Raises:
        UsageError: it is ours, and another engine than it is named by made that step.
    """
    stepper = contender.make(arena)
    kept = stepper.beside
    if stepper.optimizer is not None:
        found = _probe(contender, arena)
        kept += sum(value.element_size() for value in found.values() if _is_per_weight(value))
        _load(stepper.optimizer, found, arena)
    before = arena.gradients[0].clone()
    stepper.step()
    ran = getattr(stepper.optimizer, "engine", contender.engine)
    if ran != contender.engine:
        raise UsageError(f"it runs on the {ran} engine")
    writes = not torch.equal(before, arena.gradients[0])
    return ReadyContender(stepper.step, arena.renew_gradients() if writes else None, kept)


def _probe(contender: Contender, arena: Arena) -> dict[str, Any]:
    small = Arena([PROBE], arena.dtype)
    optimizer = contender.make(small).optimizer
    if optimizer is None:
        return {}
    optimizer.step()
    return dict(optimizer.state[small.parameters[0]])


def _is_per_weight(value: Any) -> bool:
    return isinstance(value, Tensor) and value.numel() == prod(PROBE)


def _load(optimizer: Optimizer, found: dict[str, Any], arena: Arena) -> None:
    """Give an optimizer the arena's state. Its numbers for each tensor are its own."""
    slots = {name: _slot(arena, name, value) for name, value in found.items() if _is_per_weight(value)}
    state = {
        k: {
            name: slots[name][k] if name in slots else value.clone() if isinstance(value, Tensor) else value
            for name, value in found.items()
        }
        for k in range(len(arena.parameters))
    }
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state if found else {}})


def _slot(arena: Arena, name: str, like: Tensor) -> list[Tensor]:
    """Return the arena's state of a name, flat where an optimizer keeps it flat (Prodigy's authors' code)."""
    slot = arena.slot(name)
    return slot if like.shape == PROBE else [each.view(-1) for each in slot]
