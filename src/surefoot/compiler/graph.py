"""The operations of one update as a graph, in which equal operations are one node.

A node is *per weight* if it depends on the weight, its gradient or its state; else *per tensor* if it depends on a sum
over one tensor (`total`), its size, or a number that is kept for it. Everything else is the same for all tensors: it
depends on hyperparameters, the step count, sums over all tensors (`total_all`), and numbers kept for the optimizer. No
operation is ever moved, split or merged with another: floating-point numbers are added in the order in which the
rule's author wrote them.

Of a rule for matrices each node knows its two sides. An array of the weights' sides is as good as any other; what has a
number for each row, or is turned, or is a product of matrices, has sides of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.errors import UsageError

SUMS = ("total", "total_all")
"""The operations from a value per weight to one number, for each tensor or for all."""

SIZE = "size"
"""The scalar that has the weights of the whole tensor."""

ROWS, COLS, ONE = "rows", "cols", "1"
"""The scalars that have the sides of a matrix; one of its sides, where there is a single row or column."""

Sides = tuple[str, str]
"""The height and the width of an array, each `ROWS`, `COLS` or `ONE`."""

WHOLE: Sides = (ROWS, COLS)
"""The sides of an array that has a value for each weight."""

SIDES: dict[str, Sides] = {
    "weight": WHOLE,
    "row": (ROWS, ONE),
    "column": (ONE, COLS),
    "left": (ROWS, ROWS),
    "right": (COLS, COLS),
}
"""The sides of an array by its `Slot.per`."""


@dataclass(frozen=True)
class Orthogonal:
    """The way to make a matrix orthogonal: see `mathops.orthogonalize`."""

    coefficients: tuple[tuple[float, float, float], ...]
    floor: bool
    products: str | None

    @property
    def steps(self) -> int:
        """The number of polynomial steps on the singular values."""
        return len(self.coefficients)


@dataclass(frozen=True, eq=False)
class Node:
    """One operation, input or constant.

    `op` is `array` (an input per weight: `w`, `g`, or `state.m` for a slot `m`), `scalar` (a hyperparameter, `t`,
    `SIZE`, `ROWS`, or `state.mu` for a slot that is a number), `const`, or an operation's name. `value` is the name of
    an input, the number of a constant, `ROWS` or `COLS` of a `mean`, or what `orthogonalize` goes by. `sides` are those
    of an array; of a number they say nothing.
    """

    op: str
    args: tuple[Node, ...] = ()
    value: Any = None
    per_weight: bool = False
    per_tensor: bool = False
    sides: Sides = WHOLE


@dataclass
class Graph:
    """All nodes of one update, each after its arguments, and the update's results.

    `outputs` are the nodes that are written, by their array's name: `w` and the slots, of a stage also what a later
    one reads; `numbers` those of slots that are a number for a tensor or for the optimizer; `sums` what a stage of a
    kernel adds up (`kernel_plan.py`). `rate` is the effective step size. `assumed` tells of each hyperparameter that
    the rule asked about whether it was zero: another answer, another graph.
    """

    nodes: list[Node] = field(default_factory=list)
    outputs: dict[str, Node] = field(default_factory=dict)
    numbers: dict[str, Node] = field(default_factory=dict)
    sums: dict[str, Node] = field(default_factory=dict)
    rate: Node | None = None
    assumed: dict[str, bool] = field(default_factory=dict)
    _known: dict[Any, Node] = field(default_factory=dict)

    @property
    def results(self) -> list[Node]:
        """Everything that the update is computed for."""
        return [*self.outputs.values(), *self.numbers.values(), *self.sums.values()]

    def add(
        self, op: str, *args: Node, value: Any = None, per_tensor: bool = False, sides: Sides | None = None
    ) -> Node:
        """Return the node of this operation on these arguments, made if it is new.

        `per_tensor` tells of an input that it is a number for each tensor, `sides` of an array how large it is.
        """
        key = (op, tuple(map(id, args)), repr(value))
        if key not in self._known:
            per_weight = op == "array" or (op not in SUMS and any(arg.per_weight for arg in args))
            below = op != "total_all" and any(arg.per_tensor for arg in args)
            per_tensor = not per_weight and (per_tensor or op == "total" or below)
            self._known[key] = Node(op, args, value, per_weight, per_tensor, sides or sides_of(op, args, value))
            self.nodes.append(self._known[key])
        return self._known[key]


def sides_of(op: str, args: Sequence[Node], value: Any = None) -> Sides:
    """Return the sides of what an operation makes of these arguments.

    Raises:
        UsageError: their sides do not go together.
    """
    arrays = [arg.sides for arg in args if arg.per_weight]
    if op == "transpose":
        return arrays[0][::-1]
    if op == "matmul":
        return _product(arrays)
    if op == "mean":
        return (arrays[0][0], ONE) if value == ROWS else (ONE, arrays[0][1])
    longest = [{side for side in each if side != ONE} for each in zip(*arrays, strict=True)]
    if any(len(each) > 1 for each in longest):
        raise UsageError(f"it takes the {op} of {_listed(arrays)}, value by value; transpose one of them.")
    return (next(iter(longest[0]), ONE), next(iter(longest[1]), ONE)) if arrays else WHOLE


def _product(arrays: Sequence[Sides]) -> Sides:
    if len(arrays) < 2 or arrays[0][1] != arrays[1][0]:
        raise UsageError(f"it multiplies {_listed(arrays)} as matrices (@); give matrices that fit, or write *.")
    return arrays[0][0], arrays[1][1]


def _listed(arrays: Sequence[Sides]) -> str:
    return " and ".join(f"{high} x {wide}" for high, wide in arrays)


def needed(roots: Iterable[Node]) -> set[Node]:
    """Return everything that these nodes are computed from, themselves included."""
    found: set[Node] = set()
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.args
    return found
