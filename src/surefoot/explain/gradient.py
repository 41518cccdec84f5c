"""The gradient of a function of two weights, derived from its graph.

The function is called once on symbols, as a rule is; going back through its operations gives a graph for each partial
derivative (reverse mode). The graph then becomes Python for the reference and JavaScript for the page, so both compute
the same operations in the same order. `exp` and `log` are added to the operations that rules have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

from surefoot.compiler.emit import javascript
from surefoot.compiler.emit.walk import LEAVES, PYTHON, Language, Spelling, lines, write
from surefoot.compiler.graph import Graph, Node, needed
from surefoot.compiler.trace import Symbol, SymbolOps

Point = tuple[float, float, float]
"""The value of a function and its derivatives with respect to x and y."""


def exp(x: Any) -> Any:
    """Return e to the power of a number or a symbol."""
    return _call("exp", x) if isinstance(x, Symbol) else math.exp(x)


def log(x: Any) -> Any:
    """Return the natural logarithm of a number or a symbol."""
    return _call("log", x) if isinstance(x, Symbol) else math.log(x)


def _call(op: str, x: Symbol) -> Symbol:
    return Symbol(x.graph, x.graph.add(op, x.node))


def differentiate(function: Callable[..., Any], knobs: Sequence[str]) -> Graph:
    """Return the graph of a function `(x, y, **knobs)` with the outputs `loss`, and `x` and `y` for the derivatives."""
    graph = Graph()
    x, y = (Symbol(graph, graph.add("array", value=name)) for name in "xy")
    given = {name: Symbol(graph, graph.add("scalar", value=name)) for name in knobs}
    graph, made = _multiplied(graph, function(x, y, **given).node)
    slopes = _backwards(graph, made)
    x_and_y = (graph.add("array", value=name) for name in "xy")
    graph.outputs = {"loss": made, **{node.value: slopes[node] for node in x_and_y}}
    return graph


def _multiplied(graph: Graph, root: Node) -> tuple[Graph, Node]:
    """Return the graph with powers as products, which every machine rounds alike."""
    made: dict[Node, Node] = {}
    copy = Graph()
    for node in graph.nodes:
        args = [made[arg] for arg in node.args]
        if node.op == "pow":
            made[node] = reduce(partial(copy.add, "mul"), [args[0]] * int(args[1].value))
        else:
            made[node] = copy.add(node.op, *args, value=node.value)
    return copy, made[root]


def _backwards(graph: Graph, root: Node) -> dict[Node, Node]:
    """Return the derivative of the root with respect to every node that it depends on."""
    used = needed([root])
    slopes = {root: graph.add("const", value=1.0)}
    for node in reversed([node for node in graph.nodes if node in used and node.per_weight]):
        parts = _PARTS[node.op](*(Symbol(graph, one) for one in (*node.args, node))) if node.args else ()
        for arg, part in zip(node.args, parts, strict=True):
            if arg.per_weight:
                more = Symbol(graph, slopes[node]) * part
                slopes[arg] = (Symbol(graph, slopes[arg]) + more if arg in slopes else more).node
    return slopes


_PARTS: dict[str, Callable[..., Sequence[Any]]] = {
    "add": lambda a, b, _: (1.0, 1.0),  # noqa: ARG005
    "sub": lambda a, b, _: (1.0, -1.0),  # noqa: ARG005
    "mul": lambda a, b, _: (b, a),
    "truediv": lambda a, b, quotient: (1.0 / b, -quotient / b),  # noqa: ARG005
    "neg": lambda a, _: (-1.0,),  # noqa: ARG005
    "exp": lambda a, value: (value,),  # noqa: ARG005
    "log": lambda a, _: (1.0 / a,),
    "sqrt": lambda a, root: (0.5 / root,),  # noqa: ARG005
    "maximum": lambda a, b, _: (SymbolOps.where(a >= b, 1.0, 0.0), SymbolOps.where(a >= b, 0.0, 1.0)),
}
"""The derivatives of each operation with respect to its arguments; its own value comes last."""

_PYTHON = Language(
    "Python",
    {**PYTHON.table, "exp": Spelling("exp({})"), "log": Spelling("log({})")},
)
_JAVASCRIPT = Language(
    "JavaScript",
    {**javascript.LANGUAGE.table, "exp": Spelling("Math.exp({})"), "log": Spelling("Math.log({})")},
    number=javascript.LANGUAGE.number,
)


def to_python(graph: Graph) -> Callable[..., Point]:
    """Return the function `(x, y, knobs)` that gives the value and both derivatives in float64."""
    body, results = _text(graph, _PYTHON)
    text = [*(f"{name} = knobs[{name!r}]" for name in _knobs(graph)), *(f"{name} = {line}" for name, line in body)]
    source = "def evaluate(x, y, knobs):\n" + "".join(f"    {line}\n" for line in (*text, f"return {results}"))
    space: dict[str, Any] = {"exp": math.exp, "log": math.log, "sqrt": math.sqrt, "max": max}
    exec(source, space)
    made: Callable[..., Point] = space["evaluate"]
    return made


def to_javascript(graph: Graph) -> str:
    """Return the text of a function `(x, y, knobs)` that gives the value and both derivatives."""
    body, results = _text(graph, _JAVASCRIPT)
    given = f"  const {{ {', '.join(_knobs(graph))} }} = knobs;\n" if _knobs(graph) else ""
    made = "".join(f"  const {name} = {line};\n" for name, line in body)
    return f"function (x, y, knobs) {{\n{given}{made}  return [{results}];\n}}"


def _text(graph: Graph, language: Language) -> tuple[list[tuple[str, str]], str]:
    used = needed(graph.outputs.values())
    order = [node for node in graph.nodes if node in used and node.op not in LEAVES]
    made, names = lines(order, {}, {}, language)
    return made, ", ".join(write(node, names, language) for node in graph.outputs.values())


def _knobs(graph: Graph) -> list[str]:
    return [node.value for node in graph.nodes if node.op == "scalar"]
