"""Tracing: a rule is called once on symbols, which record its operations.

A symbol stands for a number or an array; every operation on it makes a node. A rule may ask whether a hyperparameter
is zero (`if momentum:`): the answer is that of the values at hand, and is noted in the graph. It may not ask about
a weight or the step count, which differ from call to call; `where` chooses between values instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, partialmethod
from typing import Any, Literal

from surefoot.compiler.graph import COLS, ONE, ROWS, SIDES, SIZE, SUMS, WHOLE, Graph, Node, Orthogonal, Sides, needed
from surefoot.errors import UsageError
from surefoot.rule import Rule
from surefoot.update import Update, update


class Symbol:
    """A value that is not known yet."""

    def __init__(self, graph: Graph, node: Node, truth: bool | None = None) -> None:
        self.graph, self.node, self.truth = graph, node, truth

    def __bool__(self) -> bool:
        """Answer for a hyperparameter. For anything else raise an error that shows the right form."""
        if self.truth is None:
            raise UsageError(
                "it asks `if` about a value that differs from weight to weight or from step to step, or whether a "
                "hyperparameter is anything but zero; write where(condition, a, b) from surefoot.mathops instead."
            )
        self.graph.assumed[self.node.value] = self.truth
        return self.truth

    @property
    def T(self) -> Symbol:  # noqa: N802  as every array calls it
        """Its rows as columns."""
        return _apply("transpose", self)

    def __mathops__(self) -> type[SymbolOps]:
        """Say where `sqrt` and the others are, for `surefoot.mathops`."""
        return SymbolOps

    __hash__ = None  # type: ignore[assignment]


for _name in ("add", "sub", "mul", "matmul", "truediv", "pow", "mod", "eq", "ne", "lt", "gt", "le", "ge"):
    setattr(Symbol, f"__{_name}__", partialmethod(lambda a, b, op: _apply(op, a, b), op=_name))
for _name in ("add", "sub", "mul", "matmul", "truediv", "pow", "mod"):
    setattr(Symbol, f"__r{_name}__", partialmethod(lambda a, b, op: _apply(op, b, a), op=_name))
for _name in ("neg", "abs"):
    setattr(Symbol, f"__{_name}__", partialmethod(lambda self, op: _apply(op, self), _name))


def _apply(op: str, *args: Any, value: Any = None) -> Symbol:
    graph = next(arg.graph for arg in args if isinstance(arg, Symbol))
    nodes = [arg.node if isinstance(arg, Symbol) else graph.add("const", value=float(arg)) for arg in args]
    return Symbol(graph, graph.add(op, *nodes, value=value))


def _scalar(graph: Graph, name: str) -> Any:
    """Return a number of each tensor; one is no symbol."""
    return 1.0 if name == ONE else Symbol(graph, graph.add("scalar", value=name, per_tensor=True))


class SymbolOps:
    """The functions of `surefoot.mathops`, on symbols."""

    sqrt, maximum, minimum, where, sign, atan2 = (
        staticmethod(partial(_apply, op)) for op in ("sqrt", "maximum", "minimum", "where", "sign", "atan2")
    )

    @staticmethod
    def total(x: Symbol) -> Symbol:
        """Add up over a tensor. A value that is not per weight is its own sum, as in `mathops.total`."""
        return _apply("total", x) if x.node.per_weight else x

    @staticmethod
    def total_all(x: Symbol) -> Symbol:
        """Add up over all tensors."""
        if not x.node.per_weight:
            raise UsageError("it asks for total_all of a number; give it a value that differs from weight to weight.")
        return _apply("total_all", x)

    @staticmethod
    def size(x: Symbol) -> Any:
        """Return the number of weights in a tensor, or of values in another array; 1 for a number."""
        if not x.node.per_weight:
            return 1.0
        return _scalar(x.graph, SIZE) if x.node.sides == WHOLE else SymbolOps.rows(x) * SymbolOps.cols(x)

    @staticmethod
    def rows(x: Symbol) -> Any:
        """Return how many rows a matrix has."""
        return _scalar(x.graph, x.node.sides[0])

    @staticmethod
    def cols(x: Symbol) -> Any:
        """Return how many columns a matrix has."""
        return _scalar(x.graph, x.node.sides[1])

    @staticmethod
    def mean(x: Symbol, axis: int, *, keepdims: Literal[True]) -> Symbol:  # noqa: ARG004  mathops keeps them always
        """Return the mean of each row (1) or each column (0)."""
        return _apply("mean", x, value=ROWS if axis else COLS)

    @staticmethod
    def orthogonalize(x: Symbol, coefficients: Any, eps: Any, *, floor: bool, products: str | None) -> Symbol:
        """Make the singular values of a matrix all the same."""
        return _apply("orthogonalize", x, eps, value=Orthogonal(tuple(coefficients), floor, products))

    @staticmethod
    def eigenbasis(x: Symbol, basis: Symbol) -> Symbol:
        """Draw a basis nearer to the eigenvectors of a matrix."""
        return _apply("eigenbasis", x, basis)

    @staticmethod
    def every(period: Any, count: Any, new: Callable[[], Any], old: Symbol) -> Symbol:
        """Choose what is new where the count is a multiple of the period."""
        return _apply("where", count % period == 0, new(), old)

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
            step count, calls a function that is not in `surefoot.mathops`, or makes a number of a value per weight.
    """
    graph, per = Graph(), {slot.name: slot.per for slot in rule.active(hyper)}
    try:
        made = _run(rule, graph, hyper, per)
        graph.rate, graph.outputs["w"] = _node(graph, made.step.rate), made.weight.node
        for slot, value in made.state.items():
            name, node, of = f"state.{slot}", _node(graph, value), per.get(slot, "weight")
            _check_slot(slot, node, of)
            if node.value != name:  # else the slot stays as it is
                (graph.outputs if of in SIDES else graph.numbers)[name] = node
    except Exception as error:  # the rule is anybody's code, and symbols are not what it was written for
        raise UsageError(f"rule {rule.name} cannot be compiled: {error}") from error
    return graph


def sums(rule: Rule, hyper: Mapping[str, Any]) -> bool:
    """Return whether a weight's step depends on other weights, by sums or by matrices."""
    return rule.shape == "matrix" or any(node.op in SUMS for node in needed(trace(rule, hyper).results))


def _check_slot(slot: str, node: Node, per: str) -> None:
    """Raise `UsageError` if a slot's new value has other sides, or varies over more than the slot."""
    if per in SIDES:
        _check_sides(slot, node, SIDES[per])
    elif node.per_weight:
        raise UsageError(
            f"{slot!r} is one number for each {per}, and its new value differs from weight to weight; use "
            f"{'total or mean' if per == 'tensor' else 'total_all'} of it."
        )
    if per == "optimizer" and node.per_tensor:
        raise UsageError(
            f"{slot!r} is one number for all tensors, and its new value differs from tensor to tensor; "
            "use total_all in place of total, mean and slots of a tensor."
        )


def _check_sides(slot: str, node: Node, sides: Sides) -> None:
    if node.per_weight and node.sides != sides:
        raise UsageError(
            f"{slot!r} is {' x '.join(sides)}, and its new value is {' x '.join(node.sides)}; take a mean with an "
            "axis, or another kind of slot."
        )


def _run(rule: Rule, graph: Graph, hyper: Mapping[str, Any], per: Mapping[str, str]) -> Update:
    def array(name: str, sides: Sides = WHOLE) -> Symbol:
        return Symbol(graph, graph.add("array", value=name, sides=sides))

    def kept(slot: str) -> Symbol:
        name, of = f"state.{slot}", per[slot]
        if of in SIDES:
            return array(name, SIDES[of])
        return Symbol(graph, graph.add("scalar", value=name, per_tensor=of == "tensor"))

    w, g = array("w"), array("g")
    slots = {slot: kept(slot) for slot in per}
    t = Symbol(graph, graph.add("scalar", value="t"))
    symbols = {  # of numbers; switches, words, coefficients and None stay what they are
        name: value
        if value is None or isinstance(value, bool | str | tuple)
        else Symbol(graph, graph.add("scalar", value=name), truth=bool(value))
        for name, value in hyper.items()
    }
    return update(rule, w, g, slots, t, symbols)


def _node(graph: Graph, value: Any) -> Node:
    return value.node if isinstance(value, Symbol) else graph.add("const", value=float(value))
