"""The CPU engine: the rule's generated kernel, all tensors of a step in one pass over memory.

It takes float32 and float64 tensors that lie densely in CPU memory, in whatever order of axes; everything else is the
eager engine's. The kernel works on memory that torch owns, so autograd is told of every tensor that it wrote. Large
steps are split among as many threads as torch uses; weights do not depend on each other, so the split does not
show in the numbers.
"""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surefoot.compiler.emit.numba import emit
from surefoot.compiler.plan import Plan, plan
from surefoot.compiler.trace import trace
from surefoot.errors import SurefootWarning, UsageError
from surefoot.rule import Rule

CHUNK = 1 << 14
"""Weights in a chunk: its arrays fit a core's first cache together with the next chunk's."""

SPLIT = 1 << 17
"""Weights in a step below which more threads cost more than they bring."""

DTYPES = {torch.float32: "float32", torch.float64: "float64"}


def compiles(rule: Rule, hyper: Mapping[str, Any]) -> bool:
    """Tell whether there is a kernel for a rule; if not, a warning says why, once."""
    return _kernel(rule, _structure(hyper), "float32") is not None


def supports(weight: Tensor, gradient: Tensor, state: Mapping[str, Tensor]) -> bool:
    """Tell whether the kernel can step these tensors where they lie."""
    return (
        weight.dtype in DTYPES
        and weight.device.type == "cpu"
        and all(_is_plain(x) and x.dtype == weight.dtype for x in (weight, gradient, *state.values()))
        and _is_dense(weight)
        and all(_lies_like(value, weight) for value in state.values())
    )


def _is_plain(x: Tensor) -> bool:
    """Tell whether a tensor is the memory at its address: no subclass, not sparse, no sign yet to flip."""
    return type(x) in (Tensor, torch.nn.Parameter) and x.layout == torch.strided and not x.is_neg()


def _is_dense(x: Tensor) -> bool:
    return x.is_contiguous() or (x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last))


def _lies_like(a: Tensor, b: Tensor) -> bool:
    """Tell whether equal indices are equally far from the start; an axis of length one has no say."""
    return a.shape == b.shape and all(n == 1 or i == j for n, i, j in zip(a.shape, a.stride(), b.stride(), strict=True))


@dataclass
class Launch:
    """The tensors of one kernel in one step: their addresses, the chunks, and a row of scalars for each setting."""

    plan: Plan
    text: str
    pointers: list[list[int]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    scalars: list[list[float]] = field(default_factory=list)
    written: list[Tensor] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)
    _known: dict[Any, int] = field(default_factory=dict)

    def add(
        self, weight: Tensor, gradient: Tensor, state: Mapping[str, Tensor], t: float, hyper: Mapping[str, Any]
    ) -> None:
        """Add a tensor; tensors with the same hyperparameters (the same mapping) and `t` share a row of scalars."""
        gradient = gradient if _lies_like(gradient, weight) else torch.empty_like(weight).copy_(gradient)
        arrays = {"w": weight, "g": gradient, **{f"state.{slot}": value for slot, value in state.items()}}
        self.pointers.append([arrays[name].data_ptr() for name in self.plan.arrays])
        self.sizes.append(weight.numel())
        self.rows.append(self._row(t, hyper))
        self.written += [arrays[name] for name in self.plan.outputs]
        self.kept.append(gradient)

    def _row(self, t: float, hyper: Mapping[str, Any]) -> int:
        key = (id(hyper), t)
        if key not in self._known:
            self._known[key] = len(self.scalars)
            self.kept.append(hyper)  # as long as it lives, no other mapping has its id
            self.scalars.append(self.plan.host({**hyper, "t": t}))
        return self._known[key]

    def run(self) -> None:
        """Step every tensor."""
        from surefoot.engines.kernels import compiled  # imports Numba, which takes a while: not before it is needed

        pointers = np.array(self.pointers, np.int64)
        scalars = np.array(self.scalars, np.float64).reshape(len(self.scalars), -1)
        chunks = _chunks(tuple(self.sizes), tuple(self.rows))
        threads = self._threads(pointers[:, 0], len(chunks))
        ends = [len(chunks) * k // threads for k in range(threads + 1)]
        parts, kernel = iter([*pairwise(ends)]), compiled(self.text)
        _share(threads, functools.partial(self._work, kernel, parts, chunks, pointers, scalars))
        torch.autograd.graph.increment_version(self.written)

    def _work(self, kernel: Any, parts: Iterator[tuple[int, int]], *tables: NDArray[Any]) -> None:
        """Step the parts that no other thread has taken; a method, so that the tensors live until it is done."""
        for first, last in parts:
            kernel(*tables, first, last)

    def _threads(self, weights: NDArray[np.int64], chunks: int) -> int:
        """Return how many threads are worth it; one for weights that share memory, which move one after the other."""
        if sum(self.sizes) <= SPLIT:
            return 1
        order = np.argsort(weights)
        ends = weights + np.array(self.sizes) * self.written[0].element_size()
        shared = (ends[order][:-1] > weights[order][1:]).any()
        return 1 if shared else min(torch.get_num_threads(), chunks)


class Batch:
    """Everything that one step of an optimizer moves on this engine, sorted by kernel."""

    def __init__(self) -> None:
        # By plan: two plans may have one text, and yet compute their scalars by different formulas.
        self._launches: dict[int, Launch] = {}
        self._chosen: dict[tuple[Rule, int, torch.dtype], Launch] = {}

    def add(
        self,
        rule: Rule,
        weight: Tensor,
        gradient: Tensor,
        state: Mapping[str, Tensor],
        t: float,
        hyper: Mapping[str, Any],
    ) -> None:
        """Add a tensor that `supports` accepts, of a rule that `compiles`; nothing moves before `run`."""
        key = rule, id(hyper), weight.dtype  # the launch keeps the mapping alive, so no other has its id
        if key not in self._chosen:
            self._chosen[key] = self._launch(rule, hyper, DTYPES[weight.dtype])
        self._chosen[key].add(weight, gradient, state, t, hyper)

    def _launch(self, rule: Rule, hyper: Mapping[str, Any], dtype: str) -> Launch:
        kernel = _kernel(rule, _structure(hyper), dtype)
        if kernel is None:
            raise UsageError(f"there is no kernel for the rule {rule.name}; ask `compiles` first.")
        made, text = kernel
        return self._launches.setdefault(id(made), Launch(made, text))

    def run(self) -> None:
        """Step everything that was added."""
        for launch in self._launches.values():
            launch.run()


def _structure(hyper: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return what of the hyperparameters can change the kernel: switches, and which numbers are zero."""
    return tuple(
        (name, value if value is None or isinstance(value, bool) else float(bool(value)))
        for name, value in hyper.items()
    )


@functools.lru_cache(maxsize=1024)
def _kernel(rule: Rule, structure: tuple[tuple[str, Any], ...], dtype: str) -> tuple[Plan, str] | None:
    """Return the plan and the text of a rule's kernel; None, and a warning, if the rule cannot be compiled."""
    try:
        made = plan(trace(rule, dict(structure)))
    except UsageError as error:
        _say_once(rule, str(error))
        return None
    return made, emit(made, rule.name, dtype)


@functools.lru_cache(maxsize=1024)
def _say_once(rule: Rule, reason: str) -> None:
    warnings.warn(
        f"the rule {rule.name} runs on the eager engine, which is slower: {reason}", SurefootWarning, stacklevel=2
    )


@functools.lru_cache(maxsize=64)
def _chunks(sizes: tuple[int, ...], rows: tuple[int, ...]) -> NDArray[np.int64]:
    """Return tensor, first weight, number of weights and row of scalars of each chunk."""
    chunks = [
        (tensor, start, min(CHUNK, size - start), row)
        for tensor, (size, row) in enumerate(zip(sizes, rows, strict=True))
        for start in range(0, size, CHUNK)
    ]
    return np.array(chunks, np.int64).reshape(-1, 4)


def _share(threads: int, work: Callable[[], None]) -> None:
    """Run `work` in this thread and in others at once; it divides among those that call it what there is to do."""
    helpers = []
    with contextlib.suppress(RuntimeError):  # when Python ends it starts no thread any more; then this one does it all
        for _ in range(threads - 1):
            helpers.append(_pool(os.getpid()).submit(work))
    work()
    for helper in helpers:
        helper.result()


@functools.lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:  # noqa: ARG001
    """Return this process's helper threads; a forked child has none of its parent's and makes its own."""
    return ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="surefoot")
