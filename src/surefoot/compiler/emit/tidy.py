"""A graph in the form in which a person writes the formula. It re-associates: never for kernels.

What a hyperparameter of zero makes vanish goes, with zeros and ones themselves; `(a * g) * g` becomes a times g
squared, `(a / b) / c` becomes `a / (b * c)`, and a quotient of roots the root of the quotient. The rate stays whole,
so that it can be named.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial, reduce

from surefoot.compiler.graph import Graph, Node


def tidy(graph: Graph, zeros: Collection[str]) -> Graph:
    """Return the same formula, shorter.

    Args:
        graph: what to rewrite.
        zeros: the hyperparameters that are zero.
    """
    writer = _Writer(zeros)
    made: dict[Node, Node] = {}
    for node in graph.nodes:
        made[node] = writer.rewrite(node, tuple(made[arg] for arg in node.args))
        if node is graph.rate:
            writer.graph.rate = made[node]
    writer.graph.outputs = {name: made[node] for name, node in graph.outputs.items()}
    writer.graph.numbers = {name: made[node] for name, node in graph.numbers.items()}
    return writer.graph


class _Writer:
    """Makes the new graph, node by node."""

    def __init__(self, zeros: Collection[str]) -> None:
        self.graph, self.zeros = Graph(), zeros

    def number(self, value: float) -> Node:
        return self.graph.add("const", value=value)

    def rewrite(self, node: Node, args: tuple[Node, ...]) -> Node:
        """Return the new node for an old one, whose arguments have been rewritten."""
        if node.op == "scalar" and node.value in self.zeros:
            return self.number(0.0)
        rewritten = getattr(self, node.op, None)
        same = partial(self.graph.add, node.op, value=node.value, per_tensor=node.per_tensor, sides=node.sides)
        made: Node = (rewritten or same)(*args)
        return made

    def add(self, a: Node, b: Node) -> Node:
        if _is(a, 0) or _is(b, 0):
            return b if _is(a, 0) else a
        return self.graph.add("add", a, b)

    def sub(self, a: Node, b: Node) -> Node:
        return a if _is(b, 0) else self.graph.add("sub", a, b)

    def mul(self, a: Node, b: Node) -> Node:
        """Multiply, with equal factors as a power."""
        powers: dict[Node, float] = {}
        number = 1.0
        for base, exponent in (*self.factors(a), *self.factors(b)):
            if base.op == "const":
                number *= base.value**exponent
            else:
                powers[base] = powers.get(base, 0.0) + exponent
        factors = [self.power(base, exponent) for base, exponent in powers.items()]
        if number == 0 or not factors:
            return self.number(number)
        return reduce(partial(self.graph.add, "mul"), factors if number == 1 else [self.number(number), *factors])

    def factors(self, node: Node) -> list[tuple[Node, float]]:
        """Return what a product is made of, each with its exponent."""
        if node.op == "mul" and node is not self.graph.rate:
            return [*self.factors(node.args[0]), *self.factors(node.args[1])]
        if node.op == "pow" and node.args[1].op == "const":
            return [(node.args[0], node.args[1].value)]
        return [(node, 1.0)]

    def power(self, base: Node, exponent: float) -> Node:
        if base.op == "sqrt" and exponent == 2:
            return base.args[0]
        return base if exponent == 1 else self.graph.add("pow", base, self.number(exponent))

    def truediv(self, a: Node, b: Node) -> Node:
        if _is(b, 1) or _is(a, 0):
            return a
        if a.op == "truediv" and a is not self.graph.rate:
            return self.truediv(a.args[0], self.mul(a.args[1], b))
        if a.op == b.op == "sqrt":
            return self.graph.add("sqrt", self.truediv(a.args[0], b.args[0]))
        return self.graph.add("truediv", a, b)

    def where(self, condition: Node, a: Node, b: Node) -> Node:
        return a if a is b else self.graph.add("where", condition, a, b)


def _is(node: Node, value: float) -> bool:
    return node.op == "const" and bool(node.value == value)
