"""The plan of a kernel: what the host computes once a step, and what one pass computes per weight.

A value that depends only on hyperparameters and the step count is computed on the host in float64, once for all
weights with that count, and then rounded to the kernel's precision. Each array has a kind of number of its own; the
weight's decides in which precision all of them are computed, and results are rounded only where they are written.

A rule that needs sums over a whole tensor, such as a norm, has stages: the kernel of a stage adds up, chunk by chunk,
what all sums are made of that need no sum of a later stage. The host adds up the chunks, and to the stages that follow
each sum is one scalar more: `total0`, `total1` and so on of a tensor, `total_all0` of all tensors. The last stage is
the update. What depends on a tensor's own sums, size or numbers the host computes for all tensors at once, as arrays.

A matrix is made orthogonal by products of whole matrices, which no kernel does. A stage writes what they start from
into an array that lives for this step alone, `matrix0`; the host puts what they make in its place (`Plan.opaque`); a
later stage reads it. Means of rows, other products, and slots that are no array of the weights' shape are in no stage.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from surefoot import mathops
from surefoot.compiler.graph import SUMS, WHOLE, Graph, Node, Orthogonal, needed
from surefoot.errors import UsageError

SIZES = {"float32": 4, "float64": 8, "bfloat16": 2, "float16": 2}
"""The kinds of numbers that an array may have, and the bytes of each."""

COMPUTE = {"float32": "float32", "float64": "float64", "bfloat16": "float32", "float16": "float32"}
"""The precision policy: the kind of numbers that an update is computed in, by the weights' kind."""

HALF = ("bfloat16", "float16")
"""The kinds that nothing is computed in."""

BLOCK = 256
"""Neighbours in memory that share a scale: their largest absolute value, a float32 number."""

BLOCKWISE = ("signed8", "positive8")
"""The kinds of 8-bit state, relative to the scale of a block: see `engines/blocks.py`."""

RANDOM = ("bfloat16", *BLOCKWISE)
"""The kinds that may be rounded at random."""

_BYTES = {**SIZES, **dict.fromkeys(BLOCKWISE, 1 + 4 / BLOCK)}

OPAQUE = ("orthogonalize",)
"""The operations that the host does on whole matrices, between two stages."""

Kinds = str | Mapping[str, str]
"""One kind of number for all arrays, or one by each array's name: `w`, `g`, `state.m`."""

HOST: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(operator, name)
        for name in ("add", "sub", "mul", "truediv", "neg", "abs", "eq", "ne", "lt", "gt", "le", "ge", "pow", "mod")
    },
    **{name: getattr(mathops, name) for name in ("sqrt", "maximum", "minimum", "where", "sign", "atan2")},
}
"""Each operation on Python floats, as the rule itself would do it on them."""

_DIGITS = ("pow", "atan2")
"""Operations whose last digits in NumPy depend on the array's length or differ from Python's."""


def _on_rows(op: str) -> Callable[..., Any]:
    """Return an operation on numbers or arrays of them, with equal digits in both."""
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
"""Operations for hyperparameters and step counts only. A rule cannot use them on a value per weight."""

WHOLE_ONLY = {
    "matmul": "multiplies matrices (@) cannot be compiled",
    "transpose": "turns a matrix cannot be compiled",
    "eigenbasis": "takes eigenvectors cannot be compiled",
    "mean": "takes the mean of each row or column cannot be compiled",
}
"""Operations on whole matrices that no stage serves."""


class Opaque(NamedTuple):
    """The host's work on a matrix between stages: it makes the matrix orthogonal in place.

    Attributes:
        how: coefficients, and in which numbers.
        eps: the name of what it adds to the matrix's length, a number of the stage (`Plan.numbers`).
    """

    how: Orthogonal
    eps: str


@dataclass(frozen=True)
class Plan:
    """One update, split between host and kernel.

    Attributes:
        hoisted: what the host computes, in the order of the kernel's scalar arguments.
        loop: what the kernel computes for each weight, in order.
        reads: the arrays that the kernel reads, `w` and `g` first.
        outputs: what it writes, by the array's name.
        scalars: every node on the host, in order.
        numbers: what the host keeps for the next step, by the slot's name, `state.mu`.
        sums: what the kernel adds up, by the name under which later stages know it.
        everywhere: those sums that are added up over all tensors.
        opaque: what the host does after this stage with an array that the stage has written, by the array's name.
        scratch: the arrays that live for this step alone, with their kind of number. None is that of the computation.
    """

    hoisted: tuple[Node, ...]
    loop: tuple[Node, ...]
    reads: tuple[str, ...]
    outputs: Mapping[str, Node]
    scalars: tuple[Node, ...]
    numbers: Mapping[str, Node] = field(default_factory=dict)
    sums: Mapping[str, Node] = field(default_factory=dict)
    everywhere: frozenset[str] = frozenset()
    opaque: Mapping[str, Opaque] = field(default_factory=dict)
    scratch: Mapping[str, str | None] = field(default_factory=dict)

    @cached_property
    def by_tensor(self) -> bool:
        """Whether the host computes values that differ from tensor to tensor."""
        return bool(self.opaque) or any(node.per_tensor for node in self.scalars)

    @property
    def arrays(self) -> tuple[str, ...]:
        """Every array that the kernel touches: the weight, the gradient and the slots."""
        return tuple(dict.fromkeys((*self.reads, *self.outputs)))

    def kinds(self, kinds: Kinds) -> dict[str, str]:
        """Return the kind of each array in order."""
        given = kinds if not isinstance(kinds, str) else dict.fromkeys(self.arrays, kinds)
        scratch = self.of_scratch(kinds)
        return {name: scratch[name] if name in scratch else given[name] for name in self.arrays}

    def of_scratch(self, kinds: Kinds) -> dict[str, str]:
        """Return the kind of each array that lives for a step alone; of others the weights' kind is enough."""
        return {name: kind or self.compute(kinds) for name, kind in self.scratch.items()}

    def bytes_per_weight(self, kinds: Kinds = "float32") -> float:
        """Return the bytes per weight that one update moves: the floor of a step's cost."""
        size = {name: _BYTES[kind] for name, kind in self.kinds(kinds).items()}
        return sum(size[name] for name in (*self.reads, *self.outputs))

    def compute(self, kinds: Kinds) -> str:
        """Return the kind of number that the kernel computes in."""
        return COMPUTE[kinds if isinstance(kinds, str) else kinds["w"]]

    @cached_property
    def _steps(self) -> list[tuple[Callable[..., Any] | None, Any]]:
        """The host's operation for each of `scalars`: on earlier ones by number, or an input or constant."""
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
        """Return a row of scalars for each tensor, and the new values of `numbers`.

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
        UsageError: the rule does with a value per weight what no kernel does (`HOST_ONLY`, `WHOLE_ONLY`), or keeps an
            array that is not of the weights' shape.
    """
    used_at_all = needed(graph.results)
    nodes = [node for node in graph.nodes if node in used_at_all]
    loop = tuple(node for node in nodes if node.per_weight and node.op != "array")
    used = {arg for node in loop for arg in node.args} | {*graph.outputs.values(), *graph.sums.values()}
    _check_fused(nodes, kernel=kernel)
    return Plan(
        hoisted=tuple(node for node in nodes if not node.per_weight and node in used),
        loop=loop,
        reads=tuple(node.value for node in nodes if node.op == "array"),
        outputs=graph.outputs,
        scalars=tuple(node for node in nodes if not node.per_weight),
        numbers=graph.numbers,
        sums=graph.sums,
    )


def _check_fused(nodes: Sequence[Node], *, kernel: bool) -> None:
    """Raise `UsageError` unless a loop over weights can compute these. Some work needs a script."""
    of_weights = [node for node in nodes if node.per_weight]
    for op, told in {**(HOST_ONLY if kernel else {}), **WHOLE_ONLY}.items():
        if any(node.op == op for node in of_weights):
            raise UsageError(f"a rule that {told}.")
    for node in of_weights:
        if node.sides != WHOLE:
            raise UsageError(f"a rule that keeps {' x '.join(node.sides)} values cannot be compiled.")


def stages(graph: Graph, *, kernel: bool = True) -> tuple[Plan, ...]:
    """Return a plan for each stage of sums and matrices, then one for the update.

    What does not depend on each other shares a stage.

    Raises:
        UsageError: a stage cannot be planned.
    """
    used = needed(graph.results)
    ends = [node for node in graph.nodes if node.op in (*SUMS, *OPAQUE) and node in used]
    numbers = {op: count() for op in (*SUMS, *OPAQUE)}
    names = {node: f"{_CALLED.get(node.op, node.op)}{next(numbers[node.op])}" for node in ends}
    depth = _depths(graph)
    last = max((depth[node] for node in ends), default=0) + 1
    now = [[node for node in ends if depth[node] == level] for level in range(1, last)]
    found = [_ended(graph, names, some, kernel=kernel) for some in now]
    update = _stage(graph, names, outputs=graph.outputs, numbers=graph.numbers) if ends else graph
    return (*found, _scratched(plan(update, kernel=kernel), names))


_CALLED = {"orthogonalize": "matrix"}
"""Names of an operation's results, where they are not its own."""


def _ended(graph: Graph, names: Mapping[Node, str], ends: Sequence[Node], *, kernel: bool) -> Plan:
    """Return the plan of the stage that these sums and matrices are the end of."""
    sums = {names[node]: node for node in ends if node.op in SUMS}
    matrices = {names[node]: node for node in ends if node.op in OPAQUE}
    opaque = {name: Opaque(node.value, f"{name}.eps") for name, node in matrices.items()}
    made = plan(
        _stage(
            graph,
            names,
            outputs={name: node.args[0] for name, node in matrices.items()},
            numbers={opaque[name].eps: node.args[1] for name, node in matrices.items()},
            sums={name: node.args[0] for name, node in sums.items()},
        ),
        kernel=kernel,
    )
    everywhere = frozenset(name for name, node in sums.items() if node.op == "total_all")
    return _scratched(replace(made, everywhere=everywhere, opaque=opaque), names)


def _scratched(made: Plan, names: Mapping[Node, str]) -> Plan:
    """Return a plan that knows which of its arrays live for a step alone."""
    scratch = {name: node.value.products for node, name in names.items() if name in made.arrays}
    return replace(made, scratch=scratch)


def _depths(graph: Graph) -> dict[Node, int]:
    """Return for each node the stage after which it can be computed; 0: before all."""
    depth: dict[Node, int] = {}
    for node in graph.nodes:
        depth[node] = max((depth[arg] for arg in node.args), default=0) + (node.op in (*SUMS, *OPAQUE))
    return depth


def _stage(graph: Graph, names: Mapping[Node, str], **results: Mapping[str, Node]) -> Graph:
    """Return the part of a graph that makes these results from the results of other stages."""
    part, made = Graph(), dict[Node, Node]()
    wanted = needed(node for each in results.values() for node in each.values())
    for node in graph.nodes:
        if node in names:
            op = "array" if node.op in OPAQUE else "scalar"
            made[node] = part.add(op, value=names[node], per_tensor=node.per_tensor, sides=node.sides)
        elif node in wanted and all(arg in made for arg in node.args):
            args = (made[arg] for arg in node.args)
            made[node] = part.add(node.op, *args, value=node.value, per_tensor=node.per_tensor, sides=node.sides)
    for kind, each in results.items():
        setattr(part, kind, {name: made[node] for name, node in each.items()})
    return part
