"""Call a rule once on symbols, and read off what it does.

A symbol stands for a number or an array; every operation on it makes a node. A rule may ask whether a hyperparameter
is zero (`if momentum:`): the answer is that of the values at hand, and is noted in the graph. It may not ask about
a weight or the step count, which differ from call to call; `where` chooses between values instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial, partialmethod
from typing import Any

from surefoot.compiler.graph import Graph, Node, needed
from surefoot.errors import UsageError
from surefoot.rule import Rule
from surefoot.update import Update, update


class Symbol:
    """A value that is not known yet."""

    def __init__(self, graph: Graph, node: Node, truth: bool | None = None) -> None:
        self.graph, self.node, self.truth = graph, node, truth

    def __bool__(self) -> bool:
        """Answer for a hyperparameter; for anything else tell the rule's author what to write instead."""
        if self.truth is None:
            raise UsageError(
                "it asks `if` about a value that differs from weight to weight or from step to step, or whether a "
                "hyperparameter is anything but zero; write where(condition, a, b) from surefoot.mathops instead."
            )
        self.graph.assumed[self.node.value] = self.truth
        return self.truth

    def __mathops__(self) -> type[SymbolOps]:
        """Say where `sqrt` and the others are, for `surefoot.mathops`."""
        return SymbolOps

    __hash__ = None  # type: ignore[assignment]


for _name in ("add", "sub", "mul", "truediv", "pow", "mod", "eq", "ne", "lt", "gt", "le", "ge"):
    setattr(Symbol, f"__{_name}__", partialmethod(lambda a, b, op: _apply(op, a, b), op=_name))
for _name in ("add", "sub", "mul", "truediv", "pow", "mod"):
    setattr(Symbol, f"__r{_name}__", partialmethod(lambda a, b, op: _apply(op, b, a), op=_name))
for _name in ("neg", "abs"):
    setattr(Symbol, f"__{_name}__", partialmethod(lambda self, op: _apply(op, self), _name))


def _apply(op: str, *args: Any) -> Symbol:
    graph = next(arg.graph for arg in args if isinstance(arg, Symbol))
    nodes = [arg.node if isinstance(arg, Symbol) else graph.add("const", value=float(arg)) for arg in args]
    return Symbol(graph, graph.add(op, *nodes))


class SymbolOps:
    """The functions of `surefoot.mathops`, on symbols."""

    sqrt, maximum, minimum, where, sign, total = (
        staticmethod(partial(_apply, op)) for op in ("sqrt", "maximum", "minimum", "where", "sign", "total")
    )

    @staticmethod
    def size(x: Symbol) -> Symbol:
        """Return how many weights the tensor has: a number that differs from tensor to tensor."""
        return Symbol(x.graph, x.graph.add("scalar", value="size"))

    @staticmethod
    def clip(x: Any, low: Any, high: Any) -> Symbol:
        """Move into [low, high]; None leaves a side open."""
        x = x if low is None else _apply("maximum", x, low)
        return x if high is None else _apply("minimum", x, high)


def trace(rule: Rule, hyper: Mapping[str, Any]) -> Graph:
    """Return the graph of one whole update (`update.py`) of `rule`.

    Args:
        rule: which rule.
        hyper: a value for every hyperparameter; of numbers only whether they are zero matters, switches are fixed.

    Raises:
        UsageError: the rule does what cannot be read off: it asks `if` about a weight, a gradient, its state or the
            step count, or calls a function that is not in `surefoot.mathops`.
    """
    graph = Graph()
    try:
        made = _run(rule, graph, hyper)
    except Exception as error:  # the rule is anybody's code, and symbols are not what it was written for
        raise UsageError(f"rule {rule.name} cannot be compiled: {error}") from error
    graph.rate = _node(graph, made.step.rate)
    new = {f"state.{slot}": _node(graph, value) for slot, value in made.state.items()}
    changed = {name: node for name, node in new.items() if (node.op, node.value) != ("array", name)}
    graph.outputs = {"w": made.weight.node, **changed}
    return graph


def sums(rule: Rule, hyper: Mapping[str, Any]) -> bool:
    """Return whether a rule adds up tensors, so that a weight's step depends on other weights."""
    graph = trace(rule, hyper)
    return any(node.op in ("total", "total_all") for node in needed(graph.outputs.values()))


def _run(rule: Rule, graph: Graph, hyper: Mapping[str, Any]) -> Update:
    def array(name: str) -> Symbol:
        return Symbol(graph, graph.add("array", value=name))

    w, g = array("w"), array("g")
    slots = {slot: array(f"state.{slot}") for slot in rule.starts(hyper)}
    t = Symbol(graph, graph.add("scalar", value="t"))
    symbols = {  # of numbers; switches, words and None stay what they are
        name: value
        if value is None or isinstance(value, bool | str)
        else Symbol(graph, graph.add("scalar", value=name), truth=bool(value))
        for name, value in hyper.items()
    }
    return update(rule, w, g, slots, t, symbols)


def _node(graph: Graph, value: Any) -> Node:
    return value.node if isinstance(value, Symbol) else graph.add("const", value=float(value))
