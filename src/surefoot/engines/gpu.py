"""The GPU engine: one launch of a generated Triton kernel steps all tensors.

The kernel goes by `device_tables.py`, tables on the device. Work is put on torch's current stream, and the host does
not wait for it. Where the device counts the steps (`capturable`), what depends on the step count is computed there, so
a captured CUDA graph is a whole step and goes on counting by itself. On CPU tensors the same code runs in Triton's
interpreter, which shows everything but speed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import linecache
import types
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from surefoot.compiler.graph import Node
from surefoot.compiler.kernel_plan import HOST, Plan
from surefoot.engines import sums
from surefoot.engines.device_tables import DeviceTables, capturing
from surefoot.engines.launch_tables import Launch
from surefoot.engines.rounding import keys_at
from surefoot.engines.sums import Across, stages_of
from surefoot.engines.triton_setup import with_cache
from surefoot.errors import UsageError

BLOCK = 1 << 10
"""Weights in a chunk: eight for each thread."""

WARPS = 4


def run(launch: Launch, values: Sequence[Mapping[str, Any]]) -> None:
    """Step every tensor of a launch; `values` are the hyperparameters of each group.

    Raises:
        UsageError: a CUDA graph is being captured, and the host counts the steps.
    """
    _check_capture(launch)
    with _on(launch.device):
        chunks, *others = _tables(launch, values)
        if launch.skip is not None:
            chunks = chunks * (launch.skip == 0)  # chunks of no weights
        for part in _parts(launch, chunks):
            if len(part):
                _start(launch, part, others)


def _check_capture(launch: Launch) -> None:
    if capturing(launch.device) and not launch.counted:
        raise UsageError(
            "a CUDA graph is being captured of a step whose number the host counts: every replay would be that step "
            "again. Make the optimizer with capturable=True, or set it in its param_groups, before the first step."
        )


def _on(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Let launches go to a device."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def add_up(launches: Sequence[Launch], values: Sequence[Mapping[str, Any]], across: Across | None = None) -> None:
    """Give launches the sums over their tensors before any runs. The host waits for the device.

    Args:
        launches: all of the step.
        values: the hyperparameters of each group.
        across: see `sums.Across`.
    """
    for k, members in stages_of(launches):
        found = [_sums(launch.before[k], values) for launch in members]
        sums.add_up(members, k, [table.cpu().numpy() for table in found], across)


def _sums(stage: Launch, values: Sequence[Mapping[str, Any]]) -> Tensor:
    """Start a stage of sums; return the table that it writes."""
    _check_capture(stage)
    with _on(stage.device):
        chunks, pointers, strides, scalars, _ = _tables(stage, values)
        found = torch.zeros(len(chunks), len(stage.kernel.plan.sums), dtype=torch.float64, device=stage.device)
        if len(chunks):
            at = torch.tensor([found.data_ptr()], device=stage.device)
            _start(stage, chunks, (pointers, strides, scalars, at))
    return found


def _start(launch: Launch, chunks: Tensor, others: Sequence[Tensor]) -> None:
    kernel = compiled(launch.kernel.text)[(len(chunks),)]
    how = {"BLOCK": launch.chunk, "num_warps": WARPS, "enable_fp_fusion": False}
    with_cache(lambda: kernel(chunks, *others, **how))


def _parts(launch: Launch, chunks: Tensor) -> list[Tensor]:
    """Return the chunks of each launch in one part. Weights that share memory move one after the other."""
    if not launch.overlaps:
        return [chunks]
    tensor = launch.places()[0][:, 0]
    ends = [0, *(np.flatnonzero(np.diff(tensor)) + 1).tolist(), len(tensor)]
    return [chunks[first:last] for first, last in pairwise(ends)]


def _tables(launch: Launch, values: Sequence[Mapping[str, Any]]) -> tuple[Tensor, ...]:
    """Return chunks, pointers, strides, scalars and keys on the device."""
    if launch.on_device is None:
        launch.on_device = DeviceTables(launch.device, counted=launch.counted)
    tables: DeviceTables = launch.on_device
    chunks, pointers, strides = launch.places()
    places = tables.fixed("chunks", chunks), tables.changing("pointers", pointers), tables.fixed("strides", strides)
    if not launch.counted:
        return *places, tables.changing("scalars", launch.scalars(values)), tables.changing("keys", launch.keys())
    steps, keys = step_counts(launch), tables.fixed("keys", launch.keys())
    if launch.kernel.stochastic:
        keys = keys_at(keys, steps[tables.fixed("rows", launch.rows_of_runs())])
    return *places, device_scalars(launch, values, steps), keys


@functools.lru_cache(maxsize=1024)
def compiled(text: str) -> Any:
    """Return the function `step` of a module's text. Triton compiles and caches it at the first call.

    Triton reads a function's source where tracebacks find it, in `linecache`: no file is needed.
    """
    name = "surefoot_kernel_" + hashlib.sha256(text.encode()).hexdigest()[:24]
    file = f"<{name}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    module = types.ModuleType(name)
    exec(compile(text, file, "exec"), module.__dict__)
    return module.step


def step_counts(launch: Launch) -> Tensor:
    """Return the step count of each row, float64."""
    return torch.stack([t for _, t in launch.rows]).to(torch.float64)


def device_scalars(launch: Launch, values: Sequence[Mapping[str, Any]], steps: Tensor) -> Tensor:
    """Return a row of scalars for each step count, computed on the device in float64 as by `plan.host`.

    Only a power may differ from the host's, in the last digit. A hyperparameter may be a tensor of no dimension, such
    as a learning rate that changes between replays; `values` are those of each group.
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
    if op in ("maximum", "minimum", "where") and any(isinstance(x, Tensor) for x in args):
        first = 1 if op == "where" else 0  # the condition stays; of two numbers torch would make float32
        args = [*args[:first], *(_column(x, t) for x in args[first:])]
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
