"""Rows of scalars from step counts that stay on the device: a captured CUDA graph goes on counting by itself.

The host reads no tensor, so it waits for none. What depends on the step count alone is a column of float64 numbers, one
for each tensor; the operations are those of `plan.host`, on the same numbers in the same order. Only a power may differ
from the host's, in float64's last digit. Everything else the host computes as ever, and a captured graph keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from surefoot.compiler.graph import Node
from surefoot.compiler.plan import HOST, Plan
from surefoot.engines.launch import Launch


def step_counts(launch: Launch) -> Tensor:
    """Return the step count of each row, float64."""
    return torch.stack([t for _, t in launch.rows]).to(torch.float64)


def scalars(launch: Launch, values: Sequence[Mapping[str, Any]], steps: Tensor) -> Tensor:
    """Return a row of scalars for each step count; `values` are the hyperparameters of each group.

    A hyperparameter may be a tensor of no dimension, such as a learning rate that changes between replays.
    """
    parts, first = [], 0
    for group, rows in groupby(group for group, _ in launch.rows):
        last = first + len([*rows])
        parts.append(_columns(launch.kernel.plan, values[group], steps[first:last]))
        first = last
    return torch.cat(parts)


def _columns(plan: Plan, values: Mapping[str, Any], t: Tensor) -> Tensor:
    known: dict[Node, Any] = {}
    for node in plan.scalars:
        if node.op in HOST:
            known[node] = _apply(node.op, [known[arg] for arg in node.args], t)
        elif node.op == "const":
            known[node] = node.value
        else:
            known[node] = t if node.value == "t" else _number(values[node.value], t)
    columns = [_column(known[node], t) for node in plan.hoisted]
    return torch.stack(columns, dim=1) if columns else t.new_empty(len(t), 0)


def _apply(op: str, args: Sequence[Any], t: Tensor) -> Any:
    if op in ("maximum", "minimum") and any(isinstance(x, Tensor) for x in args):
        args = [_column(x, t) for x in args]  # torch has these two for tensors only
    made = HOST[op](*args)
    return made if isinstance(made, Tensor | bool) else float(made)


def _number(value: Any, t: Tensor) -> Any:
    """Return a hyperparameter as the host or the device has it: float64."""
    if not isinstance(value, Tensor):
        return float(value)
    if value.device.type == "cpu":
        return t.new_zeros(()) + value.to(torch.float64)  # as torch does: its value now; to copy it would be to wait
    return value.to(t.device, torch.float64)


def _column(value: Any, t: Tensor) -> Tensor:
    return value.to(torch.float64).expand_as(t) if isinstance(value, Tensor) else torch.full_like(t, value)
