"""What a kernel computes where: once a step on the host, or for each weight in one pass over memory.

A value that depends only on hyperparameters and the step count is computed on the host in float64, once for all
weights with that count, and then rounded to the kernel's precision. Each array has a kind of number of its own; the
weight's decides in which precision all of them are computed, and results are rounded only where they are written.

A rule that needs sums over a whole tensor, such as a norm, has stages: the kernel of a stage adds up, chunk by chunk,
what all sums are made of that need no sum of a later stage. The host adds up the chunks, and to the stages that follow
each sum is one scalar more: `total0`, `total1` and so on of a tensor, `total_all0` of all tensors. The last stage is
the update. What depends on a tensor's own sums, size or numbers the host computes for all tensors at once, as arrays.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surefoot import mathops
from surefoot.compiler.graph import SUMS, Graph, Node, needed
from surefoot.errors import UsageError

SIZES = {"float32": 4, "float64": 8, "bfloat16": 2, "float16": 2}
"""The kinds of numbers that an array may have, and the bytes of each."""

COMPUTE = {"float32": "float32", "float64": "float64", "bfloat16": "float32", "float16": "float32"}
"""The precision policy: in which kind an update is computed, by the kind of its weights."""

HALF = ("bfloat16", "float16")
"""The kinds that nothing is computed in."""

BLOCK = 256
"""Neighbours in memory that share a scale: their largest absolute value, a float32 number."""

BLOCKWISE = ("signed8", "positive8")
"""The kinds of state that takes a byte a weight, relative to the scale of its block: see `engines/blocks.py`."""

RANDOM = ("bfloat16", *BLOCKWISE)
"""The kinds that may be rounded at random."""

_BYTES = {**SIZES, **dict.fromkeys(BLOCKWISE, 1 + 4 / BLOCK)}

Kinds = str | Mapping[str, str]
"""One kind of number for all arrays, or the kind of each by the array's name: `w`, `g`, `state.m`."""

HOST: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(operator, name)
        for name in ("add", "sub", "mul", "truediv", "neg", "abs", "eq", "ne", "lt", "gt", "le", "ge", "pow", "mod")
    },
    **{name: getattr(mathops, name) for name in ("sqrt", "maximum", "minimum", "where", "sign", "atan2")},
}
"""Each operation on Python floats, as the rule itself would do it on them."""

_DIGITS = ("pow", "atan2")
"""Operations of which NumPy has other last digits than Python, and other ones for arrays of other lengths."""


def _on_rows(op: str) -> Callable[..., Any]:
    """Return an operation on numbers, or on arrays of one number for each tensor, digit by digit the same."""
    operation = HOST[op]

    def apply(*args: Any) -> Any:
        if not any(isinstance(x, np.ndarray) for x in args):
            return operation(*args)
        if op not in _DIGITS:
            return np.asarray(operation(*args), np.float64)  # of a comparison 0 and 1, as Python computes with them
        rows = zip(*(x.tolist() for x in np.broadcast_arrays(*args)), strict=True)
        return np.array([operation(*row) for row in rows], np.float64)

    return apply


HOST_ONLY = {
    "pow": "raises a value per weight to a power cannot be compiled; multiply, or take sqrt, instead",
    "mod": "takes the remainder of a value per weight cannot be compiled; take that of the step count",
}
"""Operations on hyperparameters and the step count alone, and what a rule cannot do with a value per weight."""


@dataclass(frozen=True)
class Plan:
    """One update, split.

    Attributes:
        hoisted: what the host computes, in the order of the kernel's scalar arguments.
        loop: what the kernel computes for each weight, in order.
        reads: the arrays that the kernel reads, `w` and `g` first.
        outputs: what it writes, by the array's name.
        scalars: every node on the host, in order.
        numbers: what the host keeps for the next step, by the slot's name, `state.mu`.
        sums: what the kernel adds up, by the name under which later stages know it.
        everywhere: those sums that are added up over all tensors.
    """

    hoisted: tuple[Node, ...]
    loop: tuple[Node, ...]
    reads: tuple[str, ...]
    outputs: Mapping[str, Node]
    scalars: tuple[Node, ...]
    numbers: Mapping[str, Node] = field(default_factory=dict)
    sums: Mapping[str, Node] = field(default_factory=dict)
    everywhere: frozenset[str] = frozenset()

    @cached_property
    def by_tensor(self) -> bool:
        """Whether the host computes what differs from tensor to tensor."""
        return any(node.per_tensor for node in self.scalars)

    @property
    def arrays(self) -> tuple[str, ...]:
        """Every array that the kernel touches: the weight, the gradient and the slots."""
        return tuple(dict.fromkeys((*self.reads, *self.outputs)))

    def kinds(self, kinds: Kinds) -> dict[str, str]:
        """Return the kind of each array, in their order."""
        return {name: kinds if isinstance(kinds, str) else kinds[name] for name in self.arrays}

    def bytes_per_weight(self, kinds: Kinds = "float32") -> float:
        """Bytes that one update moves per weight, its arrays of these kinds: the floor of what a step costs."""
        size = {name: _BYTES[kind] for name, kind in self.kinds(kinds).items()}
        return sum(size[name] for name in (*self.reads, *self.outputs))

    def compute(self, kinds: Kinds) -> str:
        """Return the kind of number that the kernel computes in."""
        return COMPUTE[kinds if isinstance(kinds, str) else kinds["w"]]

    @cached_property
    def _steps(self) -> list[tuple[Callable[..., Any] | None, Any]]:
        """What the host does for each of `scalars`: an operation on earlier ones by number, or an input or constant."""
        return [
            (HOST[node.op], [self._place[arg] for arg in node.args]) if node.op in HOST else (None, node)
            for node in self.scalars
        ]

    @cached_property
    def _row_steps(self) -> list[tuple[Callable[..., Any] | None, Any]]:
        """The same, with operations that take arrays."""
        return [
            (_on_rows(node.op), [self._place[arg] for arg in node.args]) if node.op in HOST else (None, node)
            for node in self.scalars
        ]

    @cached_property
    def _place(self) -> dict[Node, int]:
        return {node: k for k, node in enumerate(self.scalars)}

    def host(self, values: Mapping[str, float]) -> list[float]:
        """Return the kernel's scalar arguments for these hyperparameters and this `t`, computed in float64."""
        known: list[Any] = []
        for operation, of in self._steps:
            if operation:
                known.append(operation(*[known[k] for k in of]))
            else:  # whatever number the user gave, inputs are float64
                known.append(float(of.value if of.op == "const" else values[of.value]))
        return [float(known[self._place[node]]) for node in self.hoisted]

    def host_rows(self, values: Mapping[str, Any], rows: int) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Return the same for so many tensors, a row for each, and the new values of `numbers`.

        Args:
            values: numbers, or arrays of one number for each tensor: its sums, its size, its own numbers.
            rows: how many tensors there are.
        """
        known: list[Any] = []
        with np.errstate(all="ignore"):
            for operation, of in self._row_steps:
                if operation:
                    known.append(operation(*[known[k] for k in of]))
                else:
                    value = of.value if of.op == "const" else values[of.value]
                    known.append(value if isinstance(value, np.ndarray) else float(value))
        table = np.empty((rows, len(self.hoisted)))
        for k, node in enumerate(self.hoisted):
            table[:, k] = known[self._place[node]]
        return table, {name: known[self._place[node]] for name, node in self.numbers.items()}


def scales(array: str) -> str:
    """Return what the scales of an array's blocks are called."""
    return f"{array}.scales"


def plan(graph: Graph, *, kernel: bool = True) -> Plan:
    """Split a graph into what the host computes and what the kernel does.

    Args:
        graph: the update.
        kernel: whether it becomes a kernel, which cannot do all that a script can.

    Raises:
        UsageError: the rule raises a value per weight to a power, of which every machine has another last digit, or
            takes its remainder.
    """
    used_at_all = needed(graph.results)
    nodes = [node for node in graph.nodes if node in used_at_all]
    loop = tuple(node for node in nodes if node.per_weight and node.op != "array")
    used = {arg for node in loop for arg in node.args} | {*graph.outputs.values(), *graph.sums.values()}
    for op, told in HOST_ONLY.items():
        if kernel and any(node.op == op for node in loop):
            raise UsageError(f"a rule that {told}.")
    return Plan(
        hoisted=tuple(node for node in nodes if not node.per_weight and node in used),
        loop=loop,
        reads=tuple(node.value for node in nodes if node.op == "array"),
        outputs=graph.outputs,
        scalars=tuple(node for node in nodes if not node.per_weight),
        numbers=graph.numbers,
        sums=graph.sums,
    )


def stages(graph: Graph, *, kernel: bool = True) -> tuple[Plan, ...]:
    """Return the plan of each stage of sums, and last that of the update; see `plan` for the arguments.

    Sums that do not depend on each other share a stage.

    Raises:
        UsageError: a stage cannot be planned.
    """
    used = needed(graph.results)
    sums = [node for node in graph.nodes if node.op in SUMS and node in used]
    numbers = {op: count() for op in SUMS}
    names = {node: f"{node.op}{next(numbers[node.op])}" for node in sums}
    depth = _depths(graph)
    found = []
    for level in range(1, max((depth[node] for node in sums), default=0) + 1):
        now = {names[node]: node for node in sums if depth[node] == level}
        made = plan(_stage(graph, names, sums={name: node.args[0] for name, node in now.items()}), kernel=kernel)
        found.append(replace(made, everywhere=frozenset(n for n, node in now.items() if node.op == "total_all")))
    last = _stage(graph, names, outputs=graph.outputs, numbers=graph.numbers) if sums else graph
    return (*found, plan(last, kernel=kernel))


def _depths(graph: Graph) -> dict[Node, int]:
    """Return of each node the stage after which it can be computed, of a sum its own; 0 is before all of them."""
    depth: dict[Node, int] = {}
    for node in graph.nodes:
        depth[node] = max((depth[arg] for arg in node.args), default=0) + (node.op in SUMS)
    return depth


def _stage(graph: Graph, names: Mapping[Node, str], **results: Mapping[str, Node]) -> Graph:
    """Return the part of a graph that makes these results, in which the sums that it needs are scalars."""
    part, made = Graph(), dict[Node, Node]()
    wanted = needed(node for each in results.values() for node in each.values())
    for node in graph.nodes:
        if node in names:
            made[node] = part.add("scalar", value=names[node], per_tensor=node.per_tensor)
        elif node in wanted and all(arg in made for arg in node.args):
            made[node] = part.add(
                node.op, *(made[arg] for arg in node.args), value=node.value, per_tensor=node.per_tensor
            )
    for kind, each in results.items():
        setattr(part, kind, {name: made[node] for name, node in each.items()})
    return part
