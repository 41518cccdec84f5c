"""The operations of one update as a graph, in which equal operations are one node.

A node is *per weight* if it depends on the weight, its gradient or its state; else *per tensor* if it depends on a sum
over one tensor (`total`), its size, or a number that is kept for it. Everything else is the same for all tensors: it
depends on hyperparameters, the step count, sums over all tensors (`total_all`), and numbers kept for the optimizer. No
operation is ever moved, split or merged with another: floating-point numbers are added in the order in which the
rule's author wrote them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SUMS = ("total", "total_all")
"""The operations that make one number of a value per weight: for each tensor, or of all tensors."""

SIZE = "size"
"""The scalar that has the weights of the whole tensor."""


@dataclass(frozen=True, eq=False)
class Node:
    """One operation, input or constant.

    `op` is `array` (an input per weight: `w`, `g`, or `state.m` for a slot `m`), `scalar` (a hyperparameter, `t`,
    `SIZE`, or `state.mu` for a slot that is a number), `const`, or an operation's name; `value` is the name of an input
    or the number of a constant.
    """

    op: str
    args: tuple[Node, ...] = ()
    value: Any = None
    per_weight: bool = False
    per_tensor: bool = False


@dataclass
class Graph:
    """All nodes of one update, in an order in which each follows its arguments, and what the update results in.

    `outputs` are the nodes that are written back, by their array's name: `w` and the slots; `numbers` those of slots
    that are a number for a tensor or for the optimizer; `sums` what a stage of a kernel adds up (`plan.py`). `rate` is
    the effective step size. `assumed` tells of each hyperparameter that the rule asked about whether it was zero:
    another answer, another graph.
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

    def add(self, op: str, *args: Node, value: Any = None, per_tensor: bool = False) -> Node:
        """Return the node of this operation on these arguments, made if it is new.

        `per_tensor` tells of an input that it is a number for each tensor.
        """
        key = (op, tuple(map(id, args)), repr(value))
        if key not in self._known:
            per_weight = op == "array" or (op not in SUMS and any(arg.per_weight for arg in args))
            below = op != "total_all" and any(arg.per_tensor for arg in args)
            per_tensor = not per_weight and (per_tensor or op == "total" or below)
            self._known[key] = Node(op, args, value, per_weight, per_tensor)
            self.nodes.append(self._known[key])
        return self._known[key]


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
