"""What a kernel computes where: once a step on the host, or for each weight in one pass over memory.

A value that depends only on hyperparameters and the step count is computed on the host in float64, once for all
weights with that count, and then rounded to the kernel's precision. Each array has a kind of number of its own; the
weight's decides in which precision all of them are computed, and results are rounded only where they are written.

A rule that needs sums over a whole tensor, such as a norm, has a plan for each: its kernel writes what is to be summed,
the host adds it up, and to the next plan the sum is one scalar more, `total0`, `total1` and so on.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from surefoot import mathops
from surefoot.compiler.graph import Graph, Node, needed
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
    """

    hoisted: tuple[Node, ...]
    loop: tuple[Node, ...]
    reads: tuple[str, ...]
    outputs: Mapping[str, Node]
    scalars: tuple[Node, ...]

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


def scales(array: str) -> str:
    """Return what the scales of an array's blocks are called."""
    return f"{array}.scales"


def plan(graph: Graph) -> Plan:
    """Split a graph into what the host computes and what the kernel does.

    Raises:
        UsageError: the rule raises a value per weight to a power, of which every machine has another last digit, or
            takes its remainder.
    """
    used_at_all = needed(graph.outputs.values())
    nodes = [node for node in graph.nodes if node in used_at_all]
    loop = tuple(node for node in nodes if node.per_weight and node.op != "array")
    used = {arg for node in loop for arg in node.args} | set(graph.outputs.values())
    for op, told in HOST_ONLY.items():
        if any(node.op == op for node in loop):
            raise UsageError(f"a rule that {told}.")
    return Plan(
        hoisted=tuple(node for node in nodes if not node.per_weight and node in used),
        loop=loop,
        reads=tuple(node.value for node in nodes if node.op == "array"),
        outputs=graph.outputs,
        scalars=tuple(node for node in nodes if not node.per_weight),
    )


def stages(graph: Graph) -> tuple[Plan, ...]:
    """Return the plan of each sum, whose one output is `total0`, `total1` and so on, and last that of the update.

    Raises:
        UsageError: a stage cannot be planned.
    """
    used = needed(graph.outputs.values())
    totals = [node for node in graph.nodes if node.op == "total" and node in used]
    sums = [_stage(graph, {f"total{k}": node.args[0]}, totals[:k]) for k, node in enumerate(totals)]
    return tuple(plan(stage) for stage in (*sums, _stage(graph, graph.outputs, totals)))


def _stage(graph: Graph, outputs: dict[str, Node], totals: list[Node]) -> Graph:
    """Return the part of a graph that makes these outputs, in which the sums so far are scalars."""
    if not totals and outputs is graph.outputs:
        return graph
    part, made = Graph(), dict[Node, Node]()
    wanted = needed(outputs.values())
    for node in graph.nodes:
        if node in totals:
            made[node] = part.add("scalar", value=f"total{totals.index(node)}")
        elif node in wanted and all(arg in made for arg in node.args):
            made[node] = part.add(node.op, *(made[arg] for arg in node.args), value=node.value)
    part.outputs = {name: made[node] for name, node in outputs.items()}
    return part
