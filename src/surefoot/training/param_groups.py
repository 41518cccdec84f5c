"""What every loop sets and reads of a torch optimizer: its learning rates, its mode, and the memory of its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from surefoot.errors import TrialError


def rates_of(optimizer: torch.optim.Optimizer) -> list[Any]:
    """Return the learning rate of each param group; None where it has none."""
    return [group.get("lr") for group in optimizer.param_groups]


def scale_rates(optimizer: torch.optim.Optimizer, first: Sequence[Any], factor: float, label: str) -> None:
    """Set the learning rates to a factor of their first values.

    Args:
        optimizer: an optimizer of torch, ours or another.
        first: its first rates, as `rates_of` returned them; a group that came later keeps its own.
        factor: that of the schedule.
        label: what a user calls the optimizer.

    Raises:
        TrialError: a group has no learning rate.
    """
    for group, lr in zip(optimizer.param_groups, first, strict=False):
        if lr is None:
            raise TrialError(
                f"the schedule sets the learning rate, and {label} has no lr in its param groups; leave the schedule "
                "constant, or leave this optimizer out."
            )
        group["lr"] = lr * factor


def turn(optimizer: Any, *, training: bool) -> None:
    """Turn an optimizer that keeps two sets of weights to training, or to evaluation."""
    turned = getattr(optimizer, "train" if training else "eval", None)
    if turned is not None:
        turned()


def state_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Return the bytes of the optimizer's state, without weights and gradients."""
    return sum(tensor.numel() * tensor.element_size() for tensor in _tensors(optimizer.state))


def _tensors(state: Any) -> Iterator[Tensor]:
    """Yield every tensor of a state at any depth, except step counts."""
    if isinstance(state, Tensor):
        yield state
        return
    if isinstance(state, Mapping):
        state = [value for name, value in state.items() if not (isinstance(name, str) and name == "step")]
    for part in state if isinstance(state, list | tuple) else ():
        yield from _tensors(part)
